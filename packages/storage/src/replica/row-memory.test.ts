import { describe, expect, test } from 'vitest';
import { createRowMemory } from './row-memory.ts';

function row(entityId: string, bytes = 0) {
  const value = { type: 'Binary', value: new Uint8Array(bytes) } as const;
  const field = { value, stamp: 'any' as never };
  const state = {
    fields: new Map([['firmware', field]]),
    alive: undefined,
    deleted: undefined,
    vector: new Map(),
  };
  return { entityId, etag: `"${entityId}"`, referenceId: undefined, state };
}

describe('the memory of rows', () => {
  test('forgets what was not used for longest when there are too many', () => {
    const memory = createRowMemory({ rowsMax: 2 });
    memory.remember(row('a'));
    memory.remember(row('b'));
    expect(memory.recall('a')).toEqual(row('a'));
    memory.remember(row('c'));
    expect(memory.recall('b')).toBeUndefined();
    expect(memory.recall('a')).toEqual(row('a'));
  });

  test('is bounded by bytes, however few the rows', () => {
    const memory = createRowMemory({ bytesMax: 100_000 });
    memory.remember(row('a', 60_000));
    memory.remember(row('a', 60_000));
    expect(memory.recall('a')).toBeDefined();
    memory.remember(row('b', 60_000));
    expect(memory.recall('a')).toBeUndefined();
    expect(memory.recall('b')).toBeDefined();
  });

  test('does not recall what it was told to forget', () => {
    const memory = createRowMemory();
    memory.remember(row('a'));
    memory.forget('a');
    expect(memory.recall('a')).toBeUndefined();
  });
});
