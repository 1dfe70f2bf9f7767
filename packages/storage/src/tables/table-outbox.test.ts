import {
  bucketNames,
  type ChangeSet,
  encodeChangeSet,
  formatStamp,
  type OutboxEntry,
  ROWS_PER_TRANSACTION_MAX,
  vectorWith,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { scanOutbox } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { outboxRowKey, toOutboxRows } from '../write-path/commit-change-set.ts';
import { createTableOutbox } from './table-outbox.ts';

const [BUCKET = '', OTHER_BUCKET = ''] = bucketNames(MEMORY_BUCKET_COUNT);
const TABLE = deviceKind.name;

function entryAt(
  timeMs: number,
  more: Partial<OutboxEntry> & { readonly bucket?: string } = {},
): OutboxEntry {
  const { bucket = BUCKET, ...rest } = more;
  const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });
  const vector = vectorWith(new Map(), stamp);
  const state = { fields: new Map(), alive: stamp, deleted: undefined, vector };
  const set: ChangeSet = {
    entityKind: TABLE,
    bucket,
    stamp,
    changes: [{ entityId: `device-${timeMs}`, operation: 'create', state }],
  };
  const encoded = encodeChangeSet(set);
  const owed = ['west', 'north'];
  return { set, encoded, owed, committedAfterMs: timeMs, parkedFor: undefined, ...rest };
}

async function setUp(...entries: readonly OutboxEntry[]) {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(TABLE);
  const outbox = createTableOutbox({ store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT });
  for (const [partitionKey, own] of Map.groupBy(entries, ({ set }) => set.bucket)) {
    for (let at = 0; at < own.length; at += ROWS_PER_TRANSACTION_MAX) {
      const operations = own.slice(at, at + ROWS_PER_TRANSACTION_MAX).flatMap(toOutboxRows);
      await store.commit({ table: TABLE, partitionKey, operations });
    }
  }
  const timesIn = async (bucket: string, peers: readonly string[] = []): Promise<number[]> => {
    const times: number[] = [];
    for await (const page of scanOutbox(outbox, { bucket, peers })) {
      times.push(...page.entries.map((entry) => entry.committedAfterMs));
    }
    return times;
  };
  return { store, outbox, timesIn };
}

const range = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => from + n);

describe('an outbox', () => {
  test('is read to its end, oldest first, however many pages it has', async () => {
    const plain = range(0, 2_100).map((timeMs) => entryAt(timeMs));
    const parked = range(5_000, 1_050).map((timeMs) => entryAt(timeMs, { parkedFor: 'west' }));
    const { timesIn, outbox } = await setUp(...plain, ...parked);
    expect(await timesIn(BUCKET)).toEqual(range(0, 2_100));
    expect(await timesIn(BUCKET, ['north', 'west'])).toEqual([
      ...range(0, 2_100),
      ...range(5_000, 1_050),
    ]);
    const first = await outbox.scan({ bucket: BUCKET, limit: 7 });
    expect(first.entries).toHaveLength(7);
    const { continuation } = first;
    const next = await outbox.scan({
      bucket: BUCKET,
      limit: 2,
      ...(continuation && { continuation }),
    });
    expect(next.entries.map(({ committedAfterMs }) => committedAfterMs)).toEqual([7, 8]);
  });

  test('keeps what is parked for one peer from another whose name begins alike', async () => {
    const entries = ['west', 'west2'].map((parkedFor, n) => entryAt(n, { parkedFor }));
    const { outbox } = await setUp(...entries, entryAt(9));
    for (const [n, parkedFor] of ['west', 'west2'].entries()) {
      const { entries: found } = await outbox.scan({ bucket: BUCKET, limit: 10, parkedFor });
      expect(found.map(({ committedAfterMs }) => committedAfterMs)).toEqual([n]);
    }
    const { entries: plain } = await outbox.scan({ bucket: BUCKET, limit: 10 });
    expect(plain.map(({ committedAfterMs }) => committedAfterMs)).toEqual([9]);
  });

  test('gives back an entry as it was written', async () => {
    const entry = entryAt(3, { owed: ['north'] });
    const { outbox } = await setUp(entry, entryAt(4, { owed: [] }));
    const { entries } = await outbox.scan({ bucket: BUCKET, limit: 10 });
    expect(entries[0]).toEqual(entry);
    expect(entries[1]?.owed).toEqual([]);
  });

  test('names rows that nobody can read, and lets a row without its time vouch for nothing', async () => {
    const { store, outbox } = await setUp(entryAt(1));
    const properties = new Map([['owed', { type: 'String' as const, value: 'west' }]]);
    const bare = new Map(toOutboxRows(entryAt(2))[0]?.properties);
    bare.delete('committedAfterMs');
    const operations = [
      { kind: 'insert' as const, rowKey: '~o~torn', properties },
      { kind: 'insert' as const, rowKey: outboxRowKey(entryAt(2).set.stamp), properties: bare },
    ];
    await store.commit({ table: TABLE, partitionKey: BUCKET, operations });
    const page = await outbox.scan({ bucket: BUCKET, limit: 10 });
    expect(page.unreadable).toEqual(['~o~torn']);
    expect(page.entries.map(({ committedAfterMs }) => committedAfterMs)).toEqual([1, 0]);
  });

  test('names rows that lie in the place of another, and those that an operator set aside', async () => {
    const good = entryAt(1);
    const { store, outbox } = await setUp(good);
    const keyAt = (timeMs: number, parkedFor?: string) =>
      outboxRowKey(entryAt(timeMs).set.stamp, parkedFor);
    const insert = (rowKey: string, entry: OutboxEntry) => {
      return { ...toOutboxRows(entry)[0]!, rowKey };
    };
    const otherKind = { ...entryAt(3).set, entityKind: 'Orders' };
    const nobody = insert(keyAt(6), entryAt(6));
    const stamp = entryAt(8).set.stamp;
    await store.commit({
      table: TABLE,
      partitionKey: BUCKET,
      operations: [
        insert(keyAt(2), entryAt(9)),
        insert(keyAt(3), { ...entryAt(3), set: otherKind, encoded: encodeChangeSet(otherKind) }),
        insert(keyAt(4), entryAt(4, { bucket: OTHER_BUCKET })),
        insert(keyAt(5), entryAt(5, { owed: ['west', 'No region'] })),
        {
          ...nobody,
          properties: new Map([...nobody.properties].filter(([name]) => name !== 'owed')),
        },
        insert(keyAt(7, 'west'), entryAt(9)),
        insert(`~o~!${stamp}`, entryAt(8)),
        insert(`~p~west~!${stamp}`, entryAt(8)),
      ],
    });
    const page = await outbox.scan({ bucket: BUCKET, limit: 10 });
    expect(page.entries).toEqual([good]);
    expect(page.unreadable).toEqual([2, 3, 4, 5, 6].map((timeMs) => keyAt(timeMs)));
    expect(page.aside).toEqual([`~o~!${stamp}`]);
    const parked = await outbox.scan({ bucket: BUCKET, limit: 10, parkedFor: 'west' });
    expect(parked.unreadable).toEqual([keyAt(7, 'west')]);
    expect(parked.aside).toEqual([`~p~west~!${stamp}`]);
    expect(parked.entries).toEqual([]);
  });

  test('removes more than a transaction takes, in several buckets, and nothing else', async () => {
    const here = range(0, 205).map((timeMs) => entryAt(timeMs));
    const there = range(1_000, 3).map((timeMs) => entryAt(timeMs, { bucket: OTHER_BUCKET }));
    const kept = [entryAt(500), entryAt(2_000, { bucket: OTHER_BUCKET })];
    const { store, outbox, timesIn } = await setUp(...here, ...there, ...kept);
    const sizes: number[] = [];
    store.beforeCommit(({ operations }) => void sizes.push(operations.length));
    await outbox.remove([...here, ...there]);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([3, 5, 100, 100]);
    expect(await timesIn(BUCKET)).toEqual([500]);
    expect(await timesIn(OTHER_BUCKET)).toEqual([2_000]);
  });

  test('removes what is left where some of it is gone, and again', async () => {
    const entries = range(0, 5).map((timeMs) => entryAt(timeMs));
    const { outbox, timesIn } = await setUp(...entries);
    await outbox.remove(entries.slice(1, 3));
    await outbox.remove(entries.slice(0, 4));
    expect(await timesIn(BUCKET)).toEqual([4]);
    await outbox.remove(entries.slice(0, 1));
    await outbox.remove([]);
    expect(await timesIn(BUCKET)).toEqual([4]);
  });

  test('removes what is parked from where it is parked', async () => {
    const plain = entryAt(1);
    const parked = entryAt(1, { parkedFor: 'west', owed: ['west'] });
    const { outbox, timesIn } = await setUp(plain, parked);
    await outbox.remove([parked]);
    expect(await timesIn(BUCKET, ['west'])).toEqual([1]);
    await outbox.remove([plain]);
    expect(await timesIn(BUCKET, ['west'])).toEqual([]);
  });

  test('parks an entry once for each peer that is owed, and moves it', async () => {
    const entry = entryAt(1);
    const { outbox, timesIn } = await setUp(entry, entryAt(2));
    await outbox.park(entry, ['north', 'west']);
    expect(await timesIn(BUCKET)).toEqual([2]);
    for (const peer of ['north', 'west']) {
      const { entries } = await outbox.scan({ bucket: BUCKET, limit: 10, parkedFor: peer });
      expect(entries).toEqual([{ ...entry, owed: [peer], parkedFor: peer }]);
    }
  });

  test('an entry that is gone stays gone when someone parks it', async () => {
    const entry = entryAt(1);
    const { outbox, timesIn } = await setUp(entry);
    await outbox.remove([entry]);
    await outbox.park(entry, ['north', 'west']);
    expect(await timesIn(BUCKET, ['north', 'west'])).toEqual([]);
  });
});
