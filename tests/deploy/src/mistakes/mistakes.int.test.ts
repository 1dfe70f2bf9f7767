// The table of mistakes: each is put into something that is right, and must be refused with words
// that name it. A check that lets one pass is worth nothing.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRunProblems } from '../charts/find-run-problems.ts';
import { CHART, helm, renderChart } from '../charts/helm.ts';
import { checkEach } from '../manifests/check-manifests.ts';
import { buildOverlay } from '../manifests/kustomize.ts';
import { type Manifest, parseManifests } from '../manifests/manifest.ts';
import { CACHE_FOLDER } from '../tools/folders.ts';
import { CHART_FAULTS, type ChartFault } from './chart-faults.ts';
import { CHART_MISTAKES, type ManifestMistake, OVERLAY_MISTAKES } from './manifest-mistakes.ts';
import { VALUE_MISTAKES } from './value-mistakes.ts';

const RELEASE = { region: 'east', profile: 'production' };
const MISTAKES_MIN = 30;

describe('a mistake in the values is refused, with a sentence', () => {
  it.each(VALUE_MISTAKES)('$name', async ({ values, says, withoutRegions }) => {
    const run =
      withoutRegions === true
        ? await helm(['template', 'tandem', CHART])
        : await renderChart(RELEASE, { extraValues: values });
    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(says) });
  });

  it('reports all contradictions at once', async () => {
    const extraValues = 'global: {region: nowhere, credentials: {source: csi}}';
    const { stderr } = await renderChart(RELEASE, { extraValues });
    expect(stderr).toContain('global.region is nowhere');
    expect(stderr).toContain('global.credentials.source is csi');
  });
});

/** The objects in their own text, by `Kind name`. */
function splitObjects(text: string): ReadonlyMap<string, string> {
  const objects = text.split(/^---$/m).flatMap((part): [string, string][] => {
    const [manifest] = parseManifests(part);
    return manifest === undefined ? [] : [[`${manifest.kind} ${manifest.metadata.name}`, part]];
  });
  return new Map(objects);
}

function spoil(objects: ReadonlyMap<string, string>, mistake: ManifestMistake): Manifest {
  const text = objects.get(mistake.object) ?? '';
  const spoiled = text.replace(...mistake.replace);
  if (spoiled === text) throw new Error(`Nothing to replace in ${mistake.object}.`);
  const [manifest] = parseManifests(spoiled);
  if (manifest === undefined) throw new Error(`${mistake.object} is empty.`);
  return manifest;
}

describe.each([
  {
    where: 'what helm makes',
    mistakes: CHART_MISTAKES,
    make: () => renderChart(RELEASE),
  },
  {
    where: 'what kustomize makes',
    mistakes: OVERLAY_MISTAKES,
    make: () => buildOverlay('west-external-secrets'),
  },
])('a mistake in $where is caught', ({ mistakes, make }) => {
  let problems: readonly (readonly string[])[] = [];
  beforeAll(async () => {
    const objects = splitObjects((await make()).stdout);
    problems = await checkEach(mistakes.map((mistake) => spoil(objects, mistake)));
  });

  it.each(mistakes.map((mistake, index) => ({ ...mistake, index })))(
    '$name',
    ({ index, says, object }) => {
      const found = problems[index]?.join('\n') ?? '';
      expect(found).toMatch(says);
      expect(found.startsWith(object)).toBe(true);
    },
  );
});

describe('a fault in the chart that every schema takes is noticed', () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  /** A copy of the chart with the fault in it. */
  const spoilChart = ({ name, file, replace }: ChartFault): string => {
    mkdirSync(CACHE_FOLDER, { recursive: true });
    const chart = mkdtempSync(join(CACHE_FOLDER, 'chart-'));
    folders.push(chart);
    cpSync(CHART, chart, { recursive: true });
    const path = join(chart, file);
    const text = readFileSync(path, 'utf8');
    const spoiled = text.replace(...replace);
    if (spoiled === text) throw new Error(`Nothing to replace for ${name} in ${file}.`);
    writeFileSync(path, spoiled);
    return chart;
  };

  it.each(CHART_FAULTS)('$name', async (fault) => {
    const run = await renderChart(RELEASE, { chart: spoilChart(fault) });
    expect(run).toMatchObject({ exitCode: 0 });
    expect(findRunProblems(parseManifests(run.stdout)).join('\n')).toMatch(fault.says);
  });
});

it(`the tables have at least ${MISTAKES_MIN} mistakes`, () => {
  expect(CHART_MISTAKES.length + OVERLAY_MISTAKES.length).toBeGreaterThanOrEqual(MISTAKES_MIN);
  expect(CHART_FAULTS.length).toBeGreaterThanOrEqual(MISTAKES_MIN);
  expect(VALUE_MISTAKES.length).toBeGreaterThanOrEqual(MISTAKES_MIN);
});
