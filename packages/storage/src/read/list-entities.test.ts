import type { TableStore } from '@tandem/core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EntityPage, ListFilter, ReplicatedTable } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';
import { listEntities } from './list-entities.ts';

type DeviceKind = typeof deviceKind;

const COUNT = 60;
const LABELS = ['a', 'b', 'c'];

let regions: TwoRegions<DeviceKind>;
let table: ReplicatedTable<DeviceKind>;

async function readAll(
  limit: number,
  filter: ListFilter<DeviceKind>,
): Promise<EntityPage<DeviceKind>[]> {
  const pages: EntityPage<DeviceKind>[] = [];
  let cursor: string | undefined;
  do {
    const page = await table.list(limit, cursor, filter);
    pages.push(page);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return pages;
}

const idsOf = (pages: readonly EntityPage<DeviceKind>[]): string[] =>
  pages.flatMap(({ records }) => records.map(({ entityId }) => entityId)).sort();

beforeAll(async () => {
  regions = await createTwoRegions(deviceKind, {});
  ({ table } = regions.east);
  for (let index = 0; index < COUNT; index += 1) {
    await table.put(`device-${index}`, { label: LABELS[index % 3] ?? '' });
  }
});

describe('a filtered list', () => {
  it.each([1, 7, 20, 1_000])('has each entity that passes once, %i to a page', async (limit) => {
    const pages = await readAll(limit, { equals: { label: 'b' } });
    const expected = Array.from({ length: COUNT / 3 }, (_, index) => `device-${index * 3 + 1}`);
    expect(idsOf(pages)).toEqual(expected.sort());
    expect(Math.max(...pages.map(({ records }) => records.length))).toBeLessThanOrEqual(limit);
  });

  it('has what was changed at a time or later, and not what was deleted', async () => {
    await regions.clock.advance(60_000);
    const sinceMs = regions.clock.nowMs();
    await table.patch('device-3', { temperature: 21 });
    await table.put('device-5', { label: 'new' });
    await table.remove('device-7');
    expect(idsOf(await readAll(5, { changedSinceMs: sinceMs }))).toEqual(['device-3', 'device-5']);
    expect(idsOf(await readAll(5, { changedSinceMs: sinceMs, equals: { label: 'new' } }))).toEqual([
      'device-5',
    ]);
    expect(idsOf(await readAll(5, { changedSinceMs: regions.clock.nowMs() + 60_000 }))).toEqual([]);
  });
});

describe('F1: bad input: a list', () => {
  it.each<[string, unknown]>([
    ['a time that is none', { changedSinceMs: Number.NaN }],
    ['a time of text', { changedSinceMs: '2026-01-01' }],
    ['a field that no device has', { equals: { lable: 'a' } }],
    ['a field of every object', { equals: { constructor: 'a' } }],
    ['a field that is no text', { equals: { restarts: '1' } }],
    ['half a surrogate pair', { equals: { label: '\udc00' } }],
    ['no value', { equals: { label: undefined } }],
  ])('by %s is refused by name, and not answered with all or with none', async (_, filter) => {
    const listed = table.list(10, undefined, filter as ListFilter<DeviceKind>);
    await expect(listed).rejects.toMatchObject({
      code: 'ENTITY_INVALID',
      message: expect.stringContaining('cannot be listed so'),
    });
  });
});

const FIRST = 'first';

/** Answers every query with a page without rows, and goes on from there: the service may. */
function createHesitantStore(store: TableStore): TableStore {
  return {
    ...store,
    async query({ continuation, ...range }) {
      if (continuation === undefined) return { rows: [], continuation: FIRST };
      return store.query({ ...range, ...(continuation === FIRST ? {} : { continuation }) });
    },
  };
}

describe('a list from a store that begins with empty pages', () => {
  it('has every entity once, and comes to an end', async () => {
    const store = createHesitantStore(regions.east.store);
    const options = { store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT, limit: 7 };
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listEntities({ ...options, cursor, filter: {} });
      expect(page.rows.length).toBeGreaterThan(0);
      found.push(...page.rows.map(({ entityId }) => entityId));
      ({ cursor } = page);
    } while (cursor !== undefined && found.length <= COUNT);
    expect(new Set(found).size).toBe(found.length);
    expect(found.toSorted()).toEqual(idsOf(await readAll(1_000, {})));
  });

  it('is refused when no page ever has a row', async () => {
    const { store } = regions.east;
    const empty = { ...store, query: async () => ({ rows: [], continuation: FIRST }) };
    const options = { kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT, limit: 7, filter: {} };
    await expect(
      listEntities({ ...options, store: empty, cursor: undefined }),
    ).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
  });
});

describe('the cursor of a list', () => {
  const cursorOf = async (filter: ListFilter<DeviceKind>): Promise<string> => {
    const { cursor } = await table.list(1, undefined, filter);
    if (cursor === undefined) throw new Error('the list has more than one page');
    return cursor;
  };

  it('is refused with every character missing or changed', async () => {
    const cursor = await cursorOf({});
    const forged = Array.from(cursor, (character, index) => [
      cursor.slice(0, index),
      cursor.slice(index + 1),
      cursor.slice(0, index) + (character === 'A' ? 'B' : 'A') + cursor.slice(index + 1),
    ]).flat();
    for (const text of forged) {
      await expect(table.list(1, text), text).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    }
  });

  it('is refused with another filter', async () => {
    const filtered = await cursorOf({ equals: { label: 'a' } });
    const others = [{}, { equals: { label: 'c' } }, { changedSinceMs: 1, equals: { label: 'a' } }];
    for (const filter of others) {
      await expect(table.list(1, filtered, filter)).rejects.toMatchObject({
        code: 'CURSOR_INVALID',
      });
    }
    expect(await table.list(1, filtered, { equals: { label: 'a' } })).toMatchObject({
      records: [expect.anything()],
    });
  });
});
