import { createSeededRandomness } from '@tandem/core/memory';
import { openLocalTables } from '@tandem/table-endpoint/testing';
import { expect, it } from 'vitest';
import { EMULATED, openEndpoint } from '../run-conformance.ts';
import { fuzz } from './fuzz.ts';

const REQUESTS = 20_000;
const TIMEOUT_MS = 180_000;

it(
  'answers what a broken or hostile client sends, and foresees all of it',
  async () => {
    const report = await fuzz({
      ...EMULATED,
      endpoint: openEndpoint(await openLocalTables()),
      requests: REQUESTS,
      random: createSeededRandomness(1),
    });
    expect(report.unforeseen).toEqual([]);
    // It is damaged, not noise: much is still understood, and much refused for another reason than its signature.
    expect(report.byStatus[400] ?? 0).toBeGreaterThan(REQUESTS / 20);
    expect((report.byStatus[200] ?? 0) + (report.byStatus[204] ?? 0)).toBeGreaterThan(
      REQUESTS / 20,
    );
  },
  TIMEOUT_MS,
);
