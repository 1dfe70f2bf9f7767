import { type EntityState, formatStamp, type StoredRow } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createRowMemory, type RowMemory, withRecentRows } from './row-memory.ts';

const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: '0000000a' });

function row(entityId: string, etag: string, length = 4): StoredRow {
  const state: EntityState = {
    fields: new Map([['label', { value: { type: 'String', value: 'x'.repeat(length) }, stamp }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  return { entityId, etag, referenceId: undefined, state };
}

/** More than are kept as they are. */
const MANY = 10_000;

/** Keeps every row, and says which came. */
function createBehind(): RowMemory & { readonly rows: ReadonlyMap<string, StoredRow> } {
  const rows = new Map<string, StoredRow>();
  return {
    rows,
    bytesTaken: 0,
    recall: (entityId) => rows.get(entityId),
    remember: (one) => void rows.set(one.entityId, one),
    forget: (entityId) => void rows.delete(entityId),
  };
}

describe('the rows that came last', () => {
  test('are recalled as they were given, and nothing is packed', () => {
    const behind = createBehind();
    const memory = withRecentRows(behind);
    const one = row('a', '"1"');
    memory.remember(one);
    expect(memory.recall('a')).toBe(one);
    expect(behind.rows.size).toBe(0);
  });

  test('are bounded: what came first goes to the memory behind, and is recalled from there', () => {
    const behind = createBehind();
    const memory = withRecentRows(behind);
    for (let nth = 0; nth < MANY; nth += 1) memory.remember(row(`${nth}`, `"${nth}"`));
    expect(behind.rows.size).toBeGreaterThan(MANY / 2);
    expect(behind.rows.has(`${MANY - 1}`)).toBe(false);
    for (let nth = 0; nth < MANY; nth += 1) expect(memory.recall(`${nth}`)?.etag).toBe(`"${nth}"`);
  });

  test('the newest of a row is recalled, whether an older one was packed or not', () => {
    const memory = createRowMemory({ bytesMax: 8 * 1024 * 1024 });
    for (const round of [1, 2, 3]) {
      for (let nth = 0; nth < MANY; nth += 1) memory.remember(row(`${nth}`, `"${nth}.${round}"`));
      for (let nth = 0; nth < MANY; nth += 1) {
        expect(memory.recall(`${nth}`)).toEqual(row(`${nth}`, `"${nth}.${round}"`));
      }
    }
  });

  test('a large row is packed at once, and what is known of it from before is recalled no more', () => {
    const behind = createBehind();
    const memory = withRecentRows(behind);
    memory.remember(row('a', '"1"'));
    memory.remember(row('a', '"2"', 10_000));
    expect(behind.rows.get('a')?.etag).toBe('"2"');
    expect(memory.recall('a')?.etag).toBe('"2"');
  });

  test('a row that is forgotten is forgotten in both', () => {
    const memory = withRecentRows(createBehind());
    for (let nth = 0; nth < MANY; nth += 1) memory.remember(row(`${nth}`, '"1"'));
    memory.remember(row('0', '"2"'));
    memory.forget('0');
    expect(memory.recall('0')).toBeUndefined();
  });

  test('a row with bytes is what it was, whoever writes over them later', () => {
    const memory = createRowMemory({ bytesMax: 8 * 1024 * 1024 });
    const bytes = new Uint8Array([1, 2, 3]);
    const one = row('a', '"1"');
    const fields = new Map([
      ['firmware', { value: { type: 'Binary', value: bytes } as const, stamp }],
    ]);
    memory.remember({ ...one, state: { ...one.state, fields } });
    bytes[0] = 9;
    const recalled = memory.recall('a')?.state.fields.get('firmware')?.value;
    expect(recalled).toEqual({ type: 'Binary', value: new Uint8Array([1, 2, 3]) });
  });
});
