import { type Cluster, PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runRetries } from './run-retries.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ probing: PROBING_FAST });
});

afterAll(() => cluster?.stop());

test('A creation repeated under one key while its region is killed makes one customer', async () => {
  const report = await runRetries(cluster, { kills: 2, clients: 6 });
  expect(report.findings).toEqual([]);
  expect(report).toMatchObject({ times: 12, exactlyOne: 12 });
  expect(report.tries).toBeGreaterThan(report.times);
});
