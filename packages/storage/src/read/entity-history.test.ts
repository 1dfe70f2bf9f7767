import {
  type Archive,
  type Change,
  type ChangeSet,
  type EntityState,
  type FieldValue,
  formatStamp,
  type Stamp,
  stampTimeMs,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { CHANGE_SETS_PER_PAGE_MAX, createEntityHistory } from './entity-history.ts';

const ID = 'device-1';
const OTHER = 'device-2';

const at = (timeMs: number, counter = 0, region = 'east'): Stamp =>
  formatStamp({ timeMs, counter, region, writer: 'w' });

function stateOf(fields: Readonly<Record<string, Stamp>>, more: Partial<EntityState> = {}) {
  const stamps = Object.values(fields).toSorted();
  const value: FieldValue = { type: 'String', value: 'x' };
  return {
    fields: new Map(Object.entries(fields).map(([name, stamp]) => [name, { stamp, value }])),
    alive: stamps.at(-1),
    deleted: undefined,
    vector: new Map([['east', stamps.at(-1)!]]),
    ...more,
  };
}

function setOf(stamp: Stamp, ...changes: readonly (Partial<Change> & { entityId: string })[]) {
  const whole = changes.map(
    (one): Change => ({ operation: 'replace', state: stateOf({ label: stamp }), ...one }),
  );
  return { entityKind: deviceKind.name, bucket: '00', stamp, changes: whole };
}

function historyOf(...sets: readonly ChangeSet[]) {
  const asked: Parameters<Archive['read']>[0][] = [];
  const archive: Pick<Archive, 'read'> = {
    async *read(span) {
      asked.push(span);
      // As a table does: from a millisecond on.
      yield* sets.filter(({ stamp }) => stampTimeMs(stamp) >= (span.fromMs ?? 0));
    },
  };
  return { history: createEntityHistory({ archive, kind: deviceKind, bucketCount: 1 }), asked };
}

describe('the history of an entity', () => {
  test('is what each transaction made of it, and of no neighbour in the same one', async () => {
    const [first, second, third] = [at(1), at(2, 0, 'west'), at(3)];
    const merged = stateOf({ seenAt: second, label: second, restarts: first, unknown: second });
    const version = new Map([
      ['east', first],
      ['west', second],
    ]);
    const { history, asked } = historyOf(
      setOf(first, { entityId: OTHER }, { entityId: ID, operation: 'create' }),
      setOf(second, { entityId: ID, state: { ...merged, vector: version } }, { entityId: OTHER }),
      setOf(third, { entityId: OTHER }),
      setOf(at(4), {
        entityId: ID,
        operation: 'delete',
        state: stateOf({ label: first }, { deleted: at(4) }),
      }),
    );
    const { entries, cursor } = await history.read(ID, 10);
    expect(cursor).toBeUndefined();
    expect(entries).toMatchObject([
      { stamp: first, atMs: 1, region: 'east', operation: 'create', changedFields: ['label'] },
      { stamp: second, atMs: 2, region: 'west', operation: 'replace', version },
      { stamp: at(4), operation: 'delete', changedFields: [], entity: undefined },
    ]);
    expect(entries[1]?.changedFields).toEqual(['label', 'seenAt']);
    expect(entries[0]?.entity).toMatchObject({ label: 'x' });
    expect(asked).toEqual([{ entityKind: deviceKind.name, bucket: '00' }]);
  });

  test('goes on behind its cursor, also within a millisecond', async () => {
    const stamps = [at(1), at(2), at(2, 1), at(2, 2), at(3)];
    const { history, asked } = historyOf(...stamps.map((stamp) => setOf(stamp, { entityId: ID })));
    const found: Stamp[][] = [];
    let cursor: string | undefined;
    do {
      const page = await history.read(ID, 2, cursor);
      found.push(page.entries.map(({ stamp }) => stamp));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(found).toEqual([stamps.slice(0, 2), stamps.slice(2, 4), stamps.slice(4)]);
    expect(asked.map(({ fromMs }) => fromMs)).toEqual([undefined, 2, 2]);
  });

  test('ends a page after as many change sets as it may scan, though nothing was found', async () => {
    const sets = Array.from({ length: CHANGE_SETS_PER_PAGE_MAX + 1 }, (_, n) =>
      setOf(at(n + 1), { entityId: OTHER }),
    );
    const { history } = historyOf(...sets.slice(0, -1), setOf(at(9_999), { entityId: ID }));
    const page = await history.read(ID, 5);
    expect(page.entries).toEqual([]);
    const next = await history.read(ID, 5, page.cursor);
    expect(next.entries.map(({ atMs }) => atMs)).toEqual([9_999]);
    expect(next.cursor).toBeUndefined();
    // One fewer is read to the end.
    const { history: shorter } = historyOf(...sets.slice(2));
    expect((await shorter.read(ID, 5)).cursor).toBeUndefined();
  });

  test('refuses a cursor that is none, and that of another entity of its bucket', async () => {
    const { history } = historyOf(setOf(at(1), { entityId: ID }, { entityId: OTHER }));
    const { cursor } = await history.read(ID, 1);
    for (const [id, wrong] of [
      [OTHER, cursor],
      [ID, 'torn'],
    ] as const) {
      await expect(history.read(id, 1, wrong)).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    }
  });
});
