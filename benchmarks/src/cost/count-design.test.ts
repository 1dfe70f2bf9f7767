import { expect, test } from 'vitest';
import { countDesign } from './count-design.ts';

const SLOW = { writesPerSecond: 5, regions: 2, customers: 10, seconds: 4, bucketCount: 4 };

test('each write of a slow writer is a transaction of its own, to a row that was met before', async () => {
  const { perWrite, writesPerTransaction } = await countDesign(SLOW, { tableMs: 10, busMs: 40 });
  // One that changes nothing would be none, and one to a row that nobody remembers would read it first.
  expect(writesPerTransaction).toBe(1);
  // Committed, archived and removed from the outbox here; applied and archived there.
  expect(perWrite.tableRequests).toBeLessThanOrEqual(5.2);
});
