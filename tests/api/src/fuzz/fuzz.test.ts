import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OneRegion, startOneRegion } from '../run/start-one-region.ts';
import { type FuzzReport, runFuzz } from './run-fuzz.ts';

const REQUESTS = 400;
const FUZZ_MS_MAX = 600_000;

let region: OneRegion;
let report: FuzzReport;

beforeAll(async () => {
  region = await startOneRegion();
  report = await runFuzz({ region, requests: REQUESTS, seed: 20_261_122, first: 0 });
}, FUZZ_MS_MAX);

afterAll(() => region?.stop());

describe('generated requests, from valid to hostile', () => {
  test('are answered as the document declares', () => {
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({
      requests: REQUESTS,
      undeclared: 0,
      serverErrors: 0,
      crashes: 0,
    });
  });

  test('reach successes and refusals of many kinds', () => {
    const statuses = ['200', '201', '400', '404'];
    expect([...report.statuses.keys()]).toEqual(expect.arrayContaining(statuses));
  });

  test('leave a region that still answers', async () => {
    expect((await fetch(`${region.url}/health/ready`)).status).toBe(200);
  });
});
