import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_NAMES,
  type ClientResults,
  runClients,
  startTwoRegions,
  type TwoRegions,
  whyAbsent,
} from './run-clients.ts';

const SETUP_MS_MAX = 600_000;

describe('clients that nobody here wrote do their ordinary work while a region is killed', () => {
  let regions: TwoRegions;
  let results: ClientResults;

  beforeAll(async () => {
    regions = await startTwoRegions();
    results = await runClients(regions);
  }, SETUP_MS_MAX);

  afterAll(() => regions.stop());

  for (const name of CLIENT_NAMES) {
    const why = whyAbsent(name);
    // A test that cannot run must not look like one that passed.
    if (why !== undefined) process.stderr.write(`NOT TESTED: ${why}\n`);
    it.skipIf(why !== undefined)(name, () => {
      expect(results[name]).toBe('ok');
    });
  }
});
