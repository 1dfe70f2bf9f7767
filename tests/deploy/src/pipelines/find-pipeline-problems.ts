import type { Pipeline, PipelineStage } from './pipeline.ts';

const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/u;
/** A task of Azure's own, at a major version. */
const OWN_TASK = /^[A-Za-z]+@\d+$/u;
const UPGRADE = /pipelines\/upgrade-region\.sh (\S+) "\$TAG"/u;
/** What would be a secret of Azure that lies there and never ends. */
const LASTING_SECRET =
  /client[-_]?secret|AZURE_CREDENTIALS|--password|SharedAccessKey=|AccountKey=/iu;

/** Returns what is wrong with a pipeline that upgrades the regions, which are given the last priority first. */
export function findPipelineProblems(
  pipeline: Pipeline,
  regions: readonly string[],
): readonly string[] {
  return [
    ...findOrderProblems(pipeline.stages, regions),
    ...pipeline.stages.flatMap((stage) => findStageProblems(stage)),
    ...findPipelineWide(pipeline),
  ];
}

/** A stage waits for all that one of its needs waits for. */
function waitsFor(stages: readonly PipelineStage[], name: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const need of stages.find((stage) => stage.name === next)?.needs ?? []) {
      if (seen.has(need)) continue;
      seen.add(need);
      open.push(need);
    }
  }
  return seen;
}

function findOrderProblems(
  stages: readonly PipelineStage[],
  regions: readonly string[],
): readonly string[] {
  const runs = (command: RegExp): readonly PipelineStage[] =>
    stages.filter(({ commands }) => commands.some((line) => command.test(line)));
  const [tests] = runs(/npm test/u);
  const [images] = runs(/publish-images\.sh "\$REGISTRY" "\$TAG"/u);
  if (tests === undefined) return ['No stage runs npm test.'];
  if (images === undefined) return ['No stage publishes the images under the tag.'];
  const problems: string[] = [];
  if (!waitsFor(stages, images.name).has(tests.name))
    problems.push('Images do not wait for the tests.');
  let before = images.name;
  for (const region of regions) {
    const upgrades = stages.filter(({ commands }) =>
      commands.some((line) => UPGRADE.exec(line)?.[1] === region),
    );
    const [upgrade] = upgrades;
    if (upgrade === undefined || upgrades.length > 1) {
      problems.push(`${region} is upgraded by ${upgrades.length} stages, not by one.`);
      continue;
    }
    if (!waitsFor(stages, upgrade.name).has(before))
      problems.push(`${region} does not wait for ${before}.`);
    before = upgrade.name;
  }
  return problems;
}

function findStageProblems(stage: PipelineStage): readonly string[] {
  const { name, commands, uses, environment, minutesMax, permissions, keepsToken } = stage;
  const problems: string[] = [];
  const upgraded = commands.flatMap((line) => UPGRADE.exec(line)?.[1] ?? []);
  const [region] = upgraded;
  if (upgraded.length > 1) problems.push(`${name} upgrades ${upgraded.length} regions.`);
  if (region !== undefined && environment !== region)
    problems.push(`${name} upgrades ${region} and asks nobody of its environment.`);
  if (
    region === undefined &&
    commands.some((line) => /\b(?:helm|kubectl)\b|upgrade-region/u.test(line))
  )
    problems.push(
      `${name} changes a cluster past pipelines/upgrade-region.sh, and so past the gate.`,
    );
  if (minutesMax === undefined) problems.push(`${name} may run for hours.`);
  if (keepsToken) problems.push(`${name} leaves the token of the repository on the machine.`);
  for (const used of uses)
    if (!PINNED.test(used) && !OWN_TASK.test(used))
      problems.push(`${used} is not pinned to a commit.`);
  const isSigning = commands.some((line) => /log-in\.sh/u.test(line));
  for (const [right, level] of Object.entries(permissions ?? {})) {
    const isNeeded = right === 'contents' ? level === 'read' : right === 'id-token' && isSigning;
    if (!isNeeded) problems.push(`${name} needs no ${right}: ${level}.`);
  }
  return problems;
}

function findPipelineWide({ isOneAtATime, permissions, text }: Pipeline): readonly string[] {
  const problems: string[] = [];
  if (!isOneAtATime)
    problems.push('Two releases may upgrade at once, or one may be stopped half way.');
  if (permissions !== undefined && JSON.stringify(permissions) !== '{}')
    problems.push('Every job has rights that it did not ask for.');
  if (LASTING_SECRET.test(text))
    problems.push('A secret that never ends is used: log in by the token of the job.');
  if (/:latest\b|TAG[:=]\s*latest/u.test(text)) problems.push('latest is no tag of a release.');
  return problems;
}
