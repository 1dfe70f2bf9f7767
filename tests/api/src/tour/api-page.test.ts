import { readFileSync } from 'node:fs';
import {
  atPorts,
  readShownCommands,
  runInOneShell,
  type ShownCommand,
  toPattern,
} from '@tandem/docs';
import { type Cluster, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../files.ts';

const SECTION = 'A tour';
const TOUR_MS_MAX = 600_000;
/** What the tour in Python says where its client is not installed. */
const NOT_MADE = 'THE TOUR IN PYTHON WAS NOT MADE';

function readTour(): ShownCommand[] {
  const page = readFileSync(`${ROOT}docs/api.md`, 'utf8');
  const section = page.split(`## ${SECTION}\n`)[1]?.split(/^## /m)[0] ?? '';
  return readShownCommands(section, 'shell-session');
}

describe('the commands of the tour in docs/api.md', () => {
  const tour = readTour();
  let cluster: Cluster;
  let outputs: readonly string[];

  beforeAll(async () => {
    cluster = await startCluster();
    const own = tour.map(({ command }) => atPorts(command, cluster.portBase));
    outputs = await runInOneShell(own, ROOT);
  }, TOUR_MS_MAX);

  afterAll(() => cluster?.stop());

  test('are there, for three clients', () => {
    const commands = tour.map(({ command }) => command).join('\n');
    for (const client of ['curl', 'api:tour', 'requests_tour.py']) {
      expect(commands).toContain(client);
    }
    expect(tour.length).toBeGreaterThan(20);
  });

  test.each(tour.map(({ command }, index) => ({ command, index })))('$command', ({ index }) => {
    const seen = outputs[index] ?? '';
    if (seen.includes(NOT_MADE)) {
      process.stderr.write(`\n${seen.trim()}\n`);
      return;
    }
    expect(seen).toMatch(toPattern(tour[index]?.output ?? ''));
  });

  test('show the same for the generated client and for the one in Python', () => {
    const [ours = '', theirs = ''] = outputs.slice(-3, -1).map((output) => output.trim());
    if (theirs.includes(NOT_MADE)) return;
    expect(ours).toBe(theirs);
    expect(ours).not.toMatch(/ANOTHER ONE|WITHOUT IT|undefined/);
  });
});
