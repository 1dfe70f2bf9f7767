import {
  bucketOf,
  type Conflict,
  type ContestedField,
  eraseConflict,
  formatStamp,
  KEY_LENGTH_MAX,
  pagesOf,
  TransientError,
  type UntoldConflict,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { decodeConflictMessage, encodeConflictMessages } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { describeConflictJournal } from '../testing/conflict-journal-contract.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions } from '../testing/two-regions.ts';
import { CONFLICTS_TABLE, createTableConflictJournal } from './table-conflict-journal.ts';

describeConflictJournal('memory', async () => createMemoryTableStore());

/** Two entities of one bucket, so that one transaction can carry both. */
function neighbours(): readonly string[] {
  const ids = Array.from({ length: 100 }, (_, index) => `device-${index}`);
  const bucket = bucketOf('device-0', MEMORY_BUCKET_COUNT);
  return ids.filter((id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucket).slice(0, 3);
}

test('I7: entities that conflict in the same two transactions are each recorded', async () => {
  const regions = await createTwoRegions(deviceKind);
  const { east, west } = regions;
  const ids = neighbours();
  for (const { table, region } of [east, west]) {
    const writes = ids.map((id) => table.put(id, { label: `${id} of ${region}` }));
    await regions.drive(Promise.all(writes));
  }
  await regions.settle();
  for (const { journal, table } of [east, west]) {
    const recorded = await journal.list(deviceKind.name, 10);
    const fields = recorded.flatMap((one) => one.fields.map((field) => [one.entityId, field]));
    expect(recorded.map(({ entityId }) => entityId).toSorted()).toEqual(ids);
    expect(new Set(recorded.map(({ stamps }) => stamps.join('~'))).size).toBeLessThan(ids.length);
    expect(fields).toHaveLength(ids.length);
    expect((await table.get(ids[0]!))?.entity.label).toContain(ids[0]);
  }
});

test('I7: what a row with the most and longest names loses is recorded', async () => {
  const store = createMemoryTableStore();
  await store.createTable(CONFLICTS_TABLE);
  const journal = createTableConflictJournal({
    store,
    kinds: [deviceKind],
    bucketCount: MEMORY_BUCKET_COUNT,
    peers: ['west'],
  });
  const names = Array.from({ length: 252 }, (_, n) =>
    String(n).padStart(3, '0').padStart(255, 'ä'),
  );
  const conflict = conflictAt(1_000, { fields: names.map((name) => lost(name, 'x')) });
  await journal.record([conflict]);
  expect(await journal.list(deviceKind.name, 10)).toEqual([conflict]);
});

describe('I7, A2: a conflict of more fields than a row has columns', () => {
  const named = (beginning: string, count: number): ContestedField[] =>
    Array.from({ length: count }, (_, n) => lost(`${beginning}${String(n).padStart(4, '0')}`, 'x'));

  test('is recorded, told in messages that every build reads, and the same there', async () => {
    const [{ journal }, other] = [await setUp(), await setUp()];
    // A put that leaves no name of those before loses both what it sets and what it sets to nothing.
    const conflict = conflictAt(1_000, { fields: named('a', 600) });
    await journal.record([conflict]);
    expect(await journal.list(deviceKind.name, 10)).toEqual([conflict]);
    const untold = (await journal.untold('west', { limit: 10 })).conflicts;
    const bodies = encodeConflictMessages(
      'east',
      untold.map((one) => one.conflict),
    );
    for (const body of bodies) {
      const told = decodeConflictMessage(body) ?? [];
      for (const { fields } of told) expect(fields.length).toBeLessThanOrEqual(252);
      await other.journal.accept(told);
    }
    expect(await other.journal.list(deviceKind.name, 10)).toEqual([conflict]);
  });

  test('stays readable whatever is joined to it, and keeps the fields of its kind', async () => {
    const { journal } = await setUp();
    const own = conflictAt(1_000, { fields: [lost('label')] });
    await journal.record([own]);
    for (let sent = 0; sent < 12; sent += 1) {
      await journal.accept([conflictAt(1_000, { fields: named(`f${sent % 10}x${sent}`, 200) })]);
    }
    const [kept, ...others] = await journal.list(deviceKind.name, 10);
    expect(others).toEqual([]);
    expect(kept?.fields.find(({ name }) => name === 'label')).toEqual(lost('label'));
    expect(kept?.fields).toHaveLength(2_000);
    // In whatever order they come.
    const reversed = await setUp();
    for (let sent = 11; sent >= 0; sent -= 1) {
      const fields = named(`f${sent % 10}x${sent}`, 200);
      await reversed.journal.accept([conflictAt(1_000, { fields })]);
    }
    await reversed.journal.accept([own]);
    expect(await reversed.journal.list(deviceKind.name, 10)).toEqual([kept]);
  });
});

function conflictAt(timeMs: number, more: Partial<Conflict> = {}): Conflict {
  const [east, west] = [
    formatStamp({ timeMs, counter: 0, region: 'east', writer: 'a' }),
    formatStamp({ timeMs, counter: 0, region: 'west', writer: 'b' }),
  ];
  return {
    entityKind: deviceKind.name,
    entityId: 'device-0',
    stamps: [east, west],
    fields: [],
    life: undefined,
    ...more,
  };
}

function lost(name: string, value = name): ContestedField {
  const [east, west] = conflictAt(1_000).stamps;
  return {
    name,
    winner: { stamp: west, value: { type: 'String', value } },
    loser: { stamp: east, value: { type: 'String', value: `old ${value}` } },
  };
}

const range = (from: number, count: number): readonly Conflict[] =>
  Array.from({ length: count }, (_, n) => conflictAt(from + n));
const stampsOf = (some: readonly Conflict[]) => some.map(({ stamps }) => stamps[1]);

const PARTITION = `${deviceKind.name}-${bucketOf('device-0', MEMORY_BUCKET_COUNT)}`;
const DOWN = new TransientError('TABLE_UNAVAILABLE', 'down');

async function setUp() {
  const inner = createMemoryTableStore();
  await inner.createTable(CONFLICTS_TABLE);
  const store = createFaultyStore(inner);
  const journal = createTableConflictJournal({
    store,
    kinds: [deviceKind],
    bucketCount: MEMORY_BUCKET_COUNT,
    peers: ['west', 'north'],
  });
  const rowsIn = async (partitions: string) =>
    (await inner.query({ table: CONFLICTS_TABLE, partitions, limit: 1_000 })).rows;
  const untold = async (peer: string, limit = 1_000) =>
    (await journal.untold(peer, { limit })).conflicts
      .map(({ conflict }) => conflict.stamps[1])
      .toSorted();
  const scanned = async () => {
    const found: Conflict[] = [];
    const bucket = bucketOf('device-0', MEMORY_BUCKET_COUNT);
    for await (const one of journal.scan(deviceKind.name, bucket)) found.push(one);
    return found;
  };
  return { inner, store, journal, rowsIn, untold, scanned };
}

describe('what a journal owes its peers', () => {
  test('is all that was found here, and nothing that another has told', async () => {
    const { journal, untold, store } = await setUp();
    const sizes: [string, number][] = [];
    store.beforeCommit(({ partitionKey, operations }) => {
      sizes.push([partitionKey, operations.length]);
    });
    const found = range(1_000, 120);
    await journal.record([...found, ...found.slice(0, 5)]);
    await journal.accept(range(5_000, 3));
    const own = [PARTITION, '~untold-west', '~untold-north'];
    for (const partition of own) {
      expect(sizes.filter(([one]) => one === partition).map(([, size]) => size)).toEqual(
        partition === PARTITION ? [50, 50, 20, 3] : [50, 50, 20],
      );
    }
    expect(await untold('west')).toEqual(stampsOf(found));
    expect(await untold('west', 7)).toHaveLength(7);
    sizes.length = 0;
    await journal.told(
      'west',
      (await journal.untold('west', { limit: 1_000 })).conflicts.slice(0, 110),
    );
    expect(sizes.map(([, size]) => size)).toEqual([50, 50, 10]);
    expect(await untold('west')).toHaveLength(10);
    expect(await untold('north')).toHaveLength(120);
    expect(await untold('south')).toEqual([]);
  });

  test('stays owed when it is found again while the peer is told', async () => {
    const { journal, untold } = await setUp();
    const [first, again, last] = [conflictAt(1), conflictAt(2), conflictAt(3)];
    await journal.record([first, again, last]);
    const telling = (await journal.untold('west', { limit: 10 })).conflicts;
    await journal.record([again]);
    await journal.told('west', telling);
    expect(await untold('west')).toEqual(stampsOf([again]));
    await journal.told('west', telling);
    expect(await untold('west')).toEqual(stampsOf([again]));
  });

  test('is owed before it is recorded, and given up when it never is', async () => {
    const { journal, untold, store, rowsIn } = await setUp();
    const cutOff = async (conflict: Conflict) => {
      store.failCommits([{ when: 'before', error: DOWN }], (one) => one.partitionKey === PARTITION);
      await expect(journal.record([conflict])).rejects.toBe(DOWN);
    };
    await cutOff(conflictAt(1));
    await cutOff(conflictAt(2));
    for (let look = 1; look < 50; look += 1) expect(await untold('west')).toEqual([]);
    await journal.accept([conflictAt(2)]);
    for (let look = 50; look < 100; look += 1) {
      expect(await untold('west')).toEqual(stampsOf([conflictAt(2)]));
    }
    expect(await rowsIn('~untold-west')).toHaveLength(2);
    await untold('west');
    expect(await rowsIn('~untold-west')).toHaveLength(1);
    expect(await rowsIn('~untold-north')).toHaveLength(2);
  });

  test('I18: is told although many others before it were never recorded', async () => {
    const { journal, store } = await setUp();
    store.failCommits([{ when: 'before', error: DOWN }], (one) => one.partitionKey === PARTITION);
    await expect(journal.record(range(1, 240))).rejects.toBe(DOWN);
    await journal.record(range(1_000, 30));
    const pages: (readonly string[])[] = [];
    const scan = { limit: 100 };
    for await (const page of pagesOf((from) => journal.untold('west', { ...scan, ...from })))
      pages.push(page.conflicts.map(({ conflict }) => conflict.stamps[1]));
    expect(pages.length).toBeGreaterThan(2);
    expect(pages.flat().toSorted()).toEqual(stampsOf(range(1_000, 30)));
  });

  test('I18: is told once the record says all that was found, not what an earlier find left there', async () => {
    const { journal, untold, store, scanned, rowsIn } = await setUp();
    const [alive, deleted] = conflictAt(1).stamps;
    const life = { alive, deleted, survives: false };
    const found = [
      conflictAt(1),
      conflictAt(1, { fields: [lost('label')] }),
      conflictAt(1, { fields: [lost('label')], life }),
    ];
    await journal.record(found.slice(0, 1));
    for (const one of found.slice(1)) {
      const lookedInBetween: (readonly UntoldConflict[])[] = [];
      store.beforeCommit(async ({ partitionKey, operations }) => {
        if (partitionKey !== PARTITION || operations[0]?.kind !== 'insert') return;
        const untoldYet = (await journal.untold('west', { limit: 10 })).conflicts;
        lookedInBetween.push(untoldYet);
        await journal.told('west', untoldYet);
      });
      await journal.record([one]);
      store.beforeCommit(() => undefined);
      expect(lookedInBetween).toHaveLength(1);
      expect(
        (await journal.untold('west', { limit: 10 })).conflicts.map(({ conflict }) => conflict),
      ).toEqual([one]);
    }
    expect(await scanned()).toEqual(found.slice(2));
    expect(await untold('north')).toHaveLength(found.length);
    for (const { properties } of await rowsIn('~untold-north')) {
      for (const value of properties.values()) {
        const text = value.type === 'Binary' ? new TextDecoder().decode(value.value) : value.value;
        expect(text).not.toContain('old label');
      }
    }
  });
});

describe('a conflict that is recorded already', () => {
  test('is joined with what is found again, and left alone where that says nothing more', async () => {
    const { journal, store, scanned, rowsIn } = await setUp();
    await journal.accept([conflictAt(1, { fields: [lost('label')] })]);
    let replaced = 0;
    store.beforeCommit(({ operations }) => {
      if (operations.some(({ kind }) => kind === 'replace')) replaced += 1;
    });
    const both = [conflictAt(1, { fields: [lost('ownerId')] }), conflictAt(2)];
    await journal.accept(both);
    const expected = [conflictAt(1, { fields: [lost('label'), lost('ownerId')] }), conflictAt(2)];
    expect(await scanned()).toEqual(expected);
    await journal.accept(both);
    expect([await scanned(), replaced]).toEqual([expected, 1]);
    const [row] = await rowsIn(PARTITION);
    expect(row?.properties.get('lostFields')?.value).toBe('label,ownerId');
    expect(row?.properties.get('entityId')?.value).toBe('device-0');
    // What was erased does not come back.
    const erased = eraseConflict(expected[0]!);
    await journal.accept([erased]);
    await journal.accept(both);
    expect((await scanned())[0]).toEqual(erased);
  });

  test('is kept aside where nobody can read it, and hides no other', async () => {
    const { journal, inner, scanned, rowsIn } = await setUp();
    await journal.accept([conflictAt(1), conflictAt(2)]);
    const [torn, whole] = await rowsIn(PARTITION);
    const junk = new Map([['payload0', { type: 'String' as const, value: 'torn' }]]);
    await inner.commit({
      table: CONFLICTS_TABLE,
      partitionKey: PARTITION,
      operations: [{ kind: 'upsert', rowKey: torn!.rowKey, properties: junk }],
    });
    expect(await scanned()).toEqual([conflictAt(2)]);
    expect(await journal.list(deviceKind.name, 5)).toEqual([conflictAt(2)]);
    await journal.accept([conflictAt(1)]);
    expect(await scanned()).toEqual([conflictAt(1), conflictAt(2)]);
    const rows = await rowsIn(PARTITION);
    expect(rows.map(({ rowKey }) => rowKey)).toEqual([
      `!${torn!.rowKey}`,
      torn!.rowKey,
      whole!.rowKey,
    ]);
    expect(rows[0]?.properties).toEqual(junk);
  });

  test('that changes under it is read again, ten times', async () => {
    const { journal, inner, store, scanned } = await setUp();
    await journal.accept([conflictAt(1)]);
    const other = createTableConflictJournal({
      store: inner,
      kinds: [deviceKind],
      bucketCount: MEMORY_BUCKET_COUNT,
    });
    let [changes, left] = [0, 9];
    store.beforeCommit(async ({ operations }) => {
      if (operations[0]?.kind !== 'replace' || left === 0) return;
      left -= 1;
      changes += 1;
      await other.accept([conflictAt(1, { fields: [lost(`field${changes}`)] })]);
    });
    await journal.accept([conflictAt(1, { fields: [lost('label')] })]);
    expect((await scanned())[0]?.fields).toHaveLength(10);
    left = 100;
    await expect(
      journal.accept([conflictAt(1, { fields: [lost('ownerId')] })]),
    ).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(changes).toBe(19);
  });
});

test('the longest ids have a key that fits, and each its own', async () => {
  const { journal, rowsIn } = await setUp();
  const { stamps } = conflictAt(1);
  // What sets a later row of a large one aside needs the rest.
  const room = KEY_LENGTH_MAX - '!~f01'.length - stamps.join('~').length - 1;
  const idOf = (length: number): string => {
    for (let n = 0; ; n += 1) {
      const id = `${'x'.repeat(length - 4)}${String(n).padStart(4, '0')}`;
      if (`${deviceKind.name}-${bucketOf(id, MEMORY_BUCKET_COUNT)}` === PARTITION) return id;
    }
  };
  const ids = [idOf(room), idOf(room + 1), idOf(room + 2)];
  await journal.accept(ids.map((entityId) => conflictAt(1, { entityId })));
  const keys = (await rowsIn(PARTITION)).map(({ rowKey }) => rowKey);
  expect(new Set(keys).size).toBe(3);
  for (const key of keys) expect(key.length).toBeLessThanOrEqual(KEY_LENGTH_MAX);
  expect(keys.filter((key) => ids.some((id) => key.endsWith(id)))).toEqual([
    `${stamps[1]}~${stamps[0]}~${ids[0]}`,
  ]);
});

test('a transaction of large conflicts stays below its bytes', async () => {
  const { journal, store } = await setUp();
  const sizes: number[] = [];
  store.beforeCommit(({ operations }) => void sizes.push(operations.length));
  const large = lost('label', 'x'.repeat(20_000));
  await journal.accept(range(1_000, 40).map((one) => ({ ...one, fields: [large] })));
  // 40 kB each, of 1 MiB.
  expect(sizes).toEqual([26, 14]);
});

test('a scan gives every conflict of a bucket, and a list the newest, over many pages', async () => {
  const store = createMemoryTableStore();
  await store.createTable(CONFLICTS_TABLE);
  const bucketCount = MEMORY_BUCKET_COUNT;
  const journal = createTableConflictJournal({ store, kinds: [deviceKind], bucketCount });
  const conflicts = Array.from({ length: 1_201 }, (_, n) => conflictAt(1_000 + n));
  await journal.record(conflicts);
  const found: Conflict[] = [];
  for await (const one of journal.scan(deviceKind.name, bucketOf('device-0', bucketCount))) {
    found.push(one);
  }
  expect(stampsOf(found)).toEqual(stampsOf(conflicts));
  const newest = await journal.list(deviceKind.name, 7);
  expect(stampsOf(newest)).toEqual(stampsOf(conflicts).toReversed().slice(0, 7));
});
