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
  const read: (readonly string[])[] = [];
  const probe = createStoreProbe({
    store: {
      get: async (...address) => {
        read.push(address);
        return undefined;
      },
      commit: async (transaction) => {
        asked.push(transaction);
        return { kind: 'refused', index: 0, reason: 'row-missing' };
      },
    },
  });
  await probe(SET);
  expect(read).toEqual(PLACES.map((place) => [...place, '~probe']));
  expect(asked.map(({ table, partitionKey }) => [table, partitionKey])).toEqual(PLACES);
  for (const { operations } of asked) {
    expect(operations).toEqual([{ kind: 'delete', rowKey: '~probe' }]);
  }
});

test.each(
  PLACES.flatMap(([table]) => [
    [table, 'reads'],
    [table, 'writes'],
  ]),
)('a probe fails with the words of %s when that answers no %s', async (silent, calls) => {
  const down = new TransientError('TABLE_UNAVAILABLE', `${silent} does not answer.`);
  const probe = createStoreProbe({
    store: {
      get: async (table) => {
        if (table === silent && calls === 'reads') throw down;
        return undefined;
      },
      commit: async ({ table }) => {
        if (table === silent && calls === 'writes') throw down;
        return { kind: 'refused', index: 0, reason: 'row-missing' };
      },
    },
  });
  await expect(probe(SET)).rejects.toBe(down);
});
