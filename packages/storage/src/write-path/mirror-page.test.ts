import { encodeOpenId, type FieldValue, openTableId, type Properties } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createMirrorRecord } from '../status/table-records.ts';
import { decideMirrorPage, mirrorPage } from './mirror-page.ts';

const TABLE_ID = openTableId('events', '0000');
const VALUES: readonly FieldValue[] = [
  { type: 'Int32', value: 1 },
  { type: 'Double', value: 1 },
  { type: 'Int64', value: 1n },
  { type: 'String', value: '1' },
];
const side = fc.record({
  rows: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom(...VALUES)),
  reach: fc.option(fc.constantFrom('b', 'd'), { nil: undefined }),
});

function stretchOf({
  rows,
  reach,
}: {
  rows: Readonly<Record<string, FieldValue>>;
  reach?: string | undefined;
}) {
  const idOf = (rowKey: string): string => encodeOpenId(TABLE_ID, { partitionKey: 'p', rowKey });
  const values = (value: FieldValue): Properties => new Map([['n', value]]);
  const read = Object.entries(rows)
    .filter(([rowKey]) => reach === undefined || rowKey <= reach)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([rowKey, value]) => ({
      partitionKey: 'p',
      rowKey,
      entityId: idOf(rowKey),
      values: values(value),
    }));
  return { rows: read, through: reach === undefined ? undefined : idOf(reach) };
}

test('makes a stretch of a mirror equal, type for type, and touches nothing behind what both sides have read', () => {
  fc.assert(
    fc.property(side, side, (ours, mirror) => {
      const page = decideMirrorPage(stretchOf(ours), stretchOf(mirror));
      const reach = [ours.reach, mirror.reach].filter((end) => end !== undefined).toSorted()[0];
      const isSettled = (rowKey: string): boolean => reach === undefined || rowKey <= reach;
      const after = new Map(Object.entries(mirror.rows));
      for (const { operation } of page.operations) {
        expect(isSettled(operation.rowKey)).toBe(true);
        if (operation.kind === 'delete') after.delete(operation.rowKey);
        if (operation.kind === 'upsert') {
          after.set(operation.rowKey, operation.properties.get('n')!);
        }
      }
      const expected = new Map([
        ...Object.entries(mirror.rows).filter(([rowKey]) => !isSettled(rowKey)),
        ...Object.entries(ours.rows).filter(([rowKey]) => isSettled(rowKey)),
      ]);
      expect(after).toEqual(expected);
      // What is equal is not written again.
      const again = stretchOf({ rows: Object.fromEntries(after), reach });
      expect(decideMirrorPage(stretchOf({ ...ours, reach }), again).operations).toEqual([]);
    }),
  );
});

test('writes nothing so late that its lease could have ended: the mirror may be of clients by then', async () => {
  const clock = createVirtualClock(1_000_000);
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const row = { partitionKey: 'p', rowKey: 'r', values: new Map([['n', VALUES[0]!]]) };
  let readMs = 0;
  const query = async () => {
    await clock.sleep(readMs);
    const record = { ...row, version: new Map(), origin: 'east', referenceId: undefined };
    return { records: [record], cursor: undefined };
  };
  const pass = () =>
    driveVirtualTime(
      clock,
      mirrorPage({
        ours: { query },
        tableId: TABLE_ID,
        store,
        writes: store,
        leasedUntilMs: clock.nowMs() + 30_000,
        mirror: { home: 'east', to: 'shop', table: 'Plain', sinceMs: 1 },
        record: createMirrorRecord({ store, tableId: TABLE_ID }),
        clock,
      }),
    );
  readMs = 25_000;
  await expect(pass()).rejects.toThrow('longer than its lease');
  expect(await store.get('Plain', 'p', 'r')).toBeUndefined();
  readMs = 0;
  await pass();
  expect(await store.get('Plain', 'p', 'r')).toBeDefined();
});
