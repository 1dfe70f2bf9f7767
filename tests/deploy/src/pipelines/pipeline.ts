// Both kinds of pipeline as one shape, so that what must hold of them is asked once.
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';

export interface PipelineStage {
  readonly name: string;
  readonly needs: readonly string[];
  readonly commands: readonly string[];
  /** Code of others that runs in it, as it is named. */
  readonly uses: readonly string[];
  /** Where people say who may approve it. */
  readonly environment: string | undefined;
  readonly minutesMax: number | undefined;
  /** The rights of its token; undefined where the pipeline has no such thing. */
  readonly permissions: Readonly<Record<string, string>> | undefined;
  readonly keepsToken: boolean;
}

export interface Pipeline {
  readonly stages: readonly PipelineStage[];
  readonly isOneAtATime: boolean;
  /** Rights of every stage that asks for none itself. */
  readonly permissions: Readonly<Record<string, string>> | string | undefined;
  readonly text: string;
}

const strict = { additionalProperties: false };
const Texts = Type.Array(Type.String());
const Named = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
);

const GitHubStep = Type.Union([
  Type.Object({ uses: Type.String(), with: Type.Optional(Named) }, strict),
  Type.Object({ run: Type.String() }, strict),
]);
const GitHub = Type.Object({
  permissions: Type.Optional(Type.Union([Named, Type.String()])),
  concurrency: Type.Optional(
    Type.Object({ group: Type.String(), 'cancel-in-progress': Type.Boolean() }, strict),
  ),
  jobs: Type.Record(
    Type.String(),
    Type.Object({
      needs: Type.Optional(Texts),
      'timeout-minutes': Type.Optional(Type.Number()),
      environment: Type.Optional(Type.String()),
      permissions: Type.Optional(Named),
      steps: Type.Array(GitHubStep),
    }),
  ),
});

// The part of the language of Azure Pipelines that is used here; another word is refused.
const AzureStep = Type.Union([
  Type.Object(
    { checkout: Type.Literal('self'), persistCredentials: Type.Optional(Type.Boolean()) },
    strict,
  ),
  Type.Object({ script: Type.String() }, strict),
  Type.Object({ task: Type.String(), inputs: Named }, strict),
]);
const Pool = Type.Union([Type.String(), Type.Object({ vmImage: Type.String() }, strict)]);
const common = { pool: Pool, timeoutInMinutes: Type.Optional(Type.Integer({ minimum: 1 })) };
const AzureJob = Type.Union([
  Type.Object({ job: Type.String(), ...common, steps: Type.Array(AzureStep) }, strict),
  Type.Object(
    {
      deployment: Type.String(),
      environment: Type.String(),
      ...common,
      strategy: Type.Object(
        {
          runOnce: Type.Object(
            { deploy: Type.Object({ steps: Type.Array(AzureStep) }, strict) },
            strict,
          ),
        },
        strict,
      ),
    },
    strict,
  ),
]);
const Pattern = Type.Object(
  { include: Type.Optional(Texts), exclude: Type.Optional(Texts) },
  strict,
);
const Azure = Type.Object(
  {
    trigger: Type.Object(
      { branches: Type.Optional(Pattern), tags: Type.Optional(Pattern) },
      strict,
    ),
    pr: Type.Literal('none'),
    lockBehavior: Type.Optional(
      Type.Union([Type.Literal('sequential'), Type.Literal('runLatest')]),
    ),
    variables: Type.Array(
      Type.Union([
        Type.Object({ group: Type.String() }, strict),
        Type.Object({ name: Type.String(), value: Type.String() }, strict),
      ]),
    ),
    stages: Type.Array(
      Type.Object(
        {
          // A name with a hyphen is refused by the service.
          stage: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
          dependsOn: Type.Optional(Texts),
          jobs: Type.Array(AzureJob, { minItems: 1, maxItems: 1 }),
        },
        strict,
      ),
    ),
  },
  strict,
);

/** Returns the pipeline of a file of GitHub Actions. Throws what does not fit. */
export function readGitHub(text: string): Pipeline {
  const { jobs, concurrency, permissions } = Value.Decode(GitHub, parse(text));
  const stages = Object.entries(jobs).map(([name, job]): PipelineStage => {
    const checkouts = job.steps.filter(
      (step) => 'uses' in step && step.uses.includes('/checkout@'),
    );
    return {
      name,
      needs: job.needs ?? [],
      commands: job.steps.flatMap((step) => ('run' in step ? [step.run] : [])),
      uses: job.steps.flatMap((step) => ('uses' in step ? [step.uses] : [])),
      environment: job.environment,
      minutesMax: job['timeout-minutes'],
      permissions: (job.permissions ?? {}) as Readonly<Record<string, string>>,
      keepsToken: checkouts.some(
        (step) => !('with' in step && step.with?.['persist-credentials'] === false),
      ),
    };
  });
  const isOneAtATime = concurrency !== undefined && !concurrency['cancel-in-progress'];
  return { stages, isOneAtATime, permissions: permissions as Pipeline['permissions'], text };
}

function stepsOf(job: Static<typeof AzureJob>): readonly Static<typeof AzureStep>[] {
  return 'job' in job ? job.steps : job.strategy.runOnce.deploy.steps;
}

/** Returns the pipeline of a file of Azure Pipelines. Throws what does not fit. */
export function readAzure(text: string): Pipeline {
  const { stages, lockBehavior } = Value.Decode(Azure, parse(text));
  return {
    stages: stages.flatMap(({ stage, dependsOn, jobs }, index) =>
      jobs.map((job): PipelineStage => {
        const steps = stepsOf(job);
        const tasks = steps.flatMap((step) => ('task' in step ? [step] : []));
        return {
          name: stage,
          // Without a word of it, a stage waits for the one before.
          needs:
            dependsOn ?? stages.slice(Math.max(index - 1, 0), index).map((other) => other.stage),
          commands: [
            ...steps.flatMap((step) => ('script' in step ? [step.script] : [])),
            ...tasks.flatMap(({ inputs }) => String(inputs['inlineScript'] ?? '').split('\n')),
          ],
          uses: tasks.map(({ task }) => task),
          environment: 'environment' in job ? job.environment : undefined,
          minutesMax: job.timeoutInMinutes,
          permissions: undefined,
          keepsToken: steps.some((step) => 'checkout' in step && step.persistCredentials !== false),
        };
      }),
    ),
    isOneAtATime: lockBehavior === 'sequential',
    permissions: undefined,
    text,
  };
}
