import { formatStamp, type Transaction, TransientError } from '@tandem/core';
import { expect, test } from 'vitest';
import { createStoreProbe } from './store-probe.ts';

const STAMP = { timeMs: Date.UTC(2026, 0, 1), counter: 0, region: 'east', writer: 'a' };
const SET = { entityKind: 'Devices', bucket: '02', stamp: formatStamp(STAMP), changes: [] };
const PLACES = [
  ['Devices', '02'],
  ['Archive', 'Devices-02-20260101'],
  ['Conflicts', 'Devices-02'],
];

test('a probe asks each table that a change set goes to, in its partition, and changes nothing', async () => {
  const asked: Transaction[] = [];
  const probe = createStoreProbe({
    store: {
      commit: async (transaction) => {
        asked.push(transaction);
        return { kind: 'refused', index: 0, reason: 'row-missing' };
      },
    },
  });
  await probe(SET);
  expect(asked.map(({ table, partitionKey }) => [table, partitionKey])).toEqual(PLACES);
  for (const { operations } of asked) {
    expect(operations).toEqual([{ kind: 'delete', rowKey: '~probe' }]);
  }
});

test.each(PLACES)(
  'a probe fails with the words of %s when that does not answer',
  async (silent) => {
    const down = new TransientError('TABLE_UNAVAILABLE', `${silent} does not answer.`);
    const probe = createStoreProbe({
      store: {
        commit: async ({ table }) => {
          if (table === silent) throw down;
          return { kind: 'refused', index: 0, reason: 'row-missing' };
        },
      },
    });
    await expect(probe(SET)).rejects.toBe(down);
  },
);
