import { startTwoRegions } from '@tandem/table-clients';
import { expect, it, onTestFinished } from 'vitest';
import { writeAndCompare } from './run-regions.ts';

const REQUESTS = 400;

it('I2: two regions that were written to at once answer alike once they are quiet', async () => {
  const regions = await startTwoRegions();
  onTestFinished(() => regions.stop());
  const { differences, tables, requests } = await writeAndCompare(regions, {
    requests: REQUESTS,
    seed: 1,
  });
  expect(differences.slice(0, 3)).toEqual([]);
  expect(tables).toBe(3);
  expect(requests).toBeGreaterThan(30);
});
