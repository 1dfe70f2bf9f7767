import { describe, expect, test } from 'vitest';
import { assert } from '../../errors.ts';
import type { RowOperation } from '../../ports/table-store.ts';
import type { FieldValue } from '../../values/field-value.ts';
import {
  heldBy,
  insert,
  remove,
  replace,
  type TableStoreUnderTest,
  upsert,
} from './table-store-harness.ts';

const STALE = `W/"datetime'2020-01-01T00%3A00%3A00.0000000Z'"`;

/** The refusals, each as one operation and again as the third of five. */
const REFUSALS: readonly [string, (etag: string) => RowOperation, string][] = [
  ['an insert of a row that exists', () => insert('stored'), 'row-exists'],
  ['a replace with an old ETag', () => replace('stored', STALE), 'row-changed'],
  ['a replace of a row that is missing', (etag) => replace('missing', etag), 'row-missing'],
  [
    'a replace of what changed, with an old ETag',
    () => ({ ...replace('stored', STALE), changed: new Set(['v']) }),
    'row-changed',
  ],
  [
    'a replace of what changed of a row that is missing',
    (etag) => ({ ...replace('missing', etag), changed: new Set(['v']) }),
    'row-missing',
  ],
  ['a delete with an old ETag', () => remove('stored', STALE), 'row-changed'],
  ['a delete of a row that is missing', () => remove('missing'), 'row-missing'],
  ['a conditional delete of a missing row', (etag) => remove('missing', etag), 'row-missing'],
];

/** Call inside `describe`. */
export function describeCommits(it: TableStoreUnderTest): void {
  describe('one operation', () => {
    test('an insert stores the row and gives its ETag', async () => {
      const [etag] = await it.write('p', insert('a', 'one'));
      const row = await it.get('p', 'a');
      expect(row).toMatchObject({ partitionKey: 'p', rowKey: 'a', etag });
      expect(heldBy(row)).toBe('one');
    });

    test('a replace leaves no property of the old row', async () => {
      const properties = new Map([['old', { type: 'Int32', value: 1 } as const]]);
      const [etag = ''] = await it.write('p', { kind: 'insert', rowKey: 'a', properties });
      const [next] = await it.write('p', replace('a', etag, 'two'));
      const row = await it.get('p', 'a');
      expect([...(row?.properties.keys() ?? [])]).toEqual(['v']);
      expect(row?.etag).toBe(next);
    });

    test.each([
      ['alone', []],
      ['among others', [insert('b'), insert('c')]],
    ])('a replace that says what changed leaves the whole row, %s', async (_, others) => {
      const before = new Map<string, FieldValue>([
        ['v', { type: 'String', value: 'one' }],
        ['kept', { type: 'Int64', value: 2n ** 53n + 1n }],
        ['retyped', { type: 'Int64', value: 7n }],
        ['doubled', { type: 'Int32', value: 12 }],
      ]);
      const [etag = ''] = await it.write('p', { kind: 'insert', rowKey: 'a', properties: before });
      const properties = new Map<string, FieldValue>([
        ...before,
        ['v', { type: 'String', value: 'two\u2028' }],
        ['retyped', { type: 'String', value: '7' }],
        ['doubled', { type: 'Double', value: 12 }],
        ['added', { type: 'Boolean', value: true }],
      ]);
      const changed = new Set(['v', 'retyped', 'doubled', 'added']);
      const operation = { kind: 'replace', rowKey: 'a', etag, properties, changed } as const;
      const [next] = await it.write('p', operation, ...others);
      const row = await it.get('p', 'a');
      expect(row?.properties).toEqual(properties);
      expect(row?.etag).toBe(next);
      expect(next).not.toBe(etag);
    });

    test('a replace that says what changed, and is undone with its transaction, left no trace', async () => {
      const [etag = ''] = await it.write('p', insert('a', 'one'), insert('b'));
      const replacement = { ...replace('a', etag, 'two'), changed: new Set(['v']) };
      expect(await it.commit('p', replacement, insert('b'))).toMatchObject({ kind: 'refused' });
      const row = await it.get('p', 'a');
      expect([heldBy(row), row?.etag]).toEqual(['one', etag]);
    });

    test('an upsert inserts, then replaces whatever is there', async () => {
      await it.write('p', upsert('a', 'one'));
      const [etag] = await it.write('p', upsert('a', 'two'));
      const row = await it.get('p', 'a');
      expect(heldBy(row)).toBe('two');
      expect(row?.etag).toBe(etag);
    });

    test('a delete removes the row, with the current ETag or without one', async () => {
      const [etag = ''] = await it.write('p', insert('a'), insert('b'));
      expect(await it.write('p', remove('a', etag))).toEqual([undefined]);
      expect(await it.write('p', remove('b'))).toEqual([undefined]);
      expect(await it.readAll({ partitions: 'p', limit: 10 })).toEqual([]);
    });

    test('every write gives the row another ETag', async () => {
      const etags = new Set<string>();
      let [etag = ''] = await it.write('p', insert('a'));
      for (let count = 0; count < 20; count += 1) {
        etags.add(etag);
        [etag = ''] = await it.write('p', replace('a', etag));
      }
      expect(etags.size).toBe(20);
    });

    test('the old ETag of a row that was deleted and inserted again no longer holds', async () => {
      const [etag = ''] = await it.write('p', insert('a'));
      await it.write('p', remove('a'));
      await it.write('p', insert('a'));
      const outcome = await it.commit('p', replace('a', etag));
      expect(outcome).toEqual({ kind: 'refused', index: 0, reason: 'row-changed' });
    });

    test('a row that is not there reads as undefined', async () => {
      expect(await it.get('p', 'nowhere')).toBeUndefined();
    });

    test.each(REFUSALS)('%s is refused', async (_, operation, reason) => {
      const [etag = ''] = await it.write('p', insert('stored', 'kept'));
      const outcome = await it.commit('p', operation(etag));
      expect(outcome).toEqual({ kind: 'refused', index: 0, reason });
      expect(heldBy(await it.get('p', 'stored'))).toBe('kept');
      expect(await it.get('p', 'missing')).toBeUndefined();
    });
  });

  describe('several operations', () => {
    test('all kinds commit together, their ETags in the order of the operations', async () => {
      const [changed = '', removed = ''] = await it.write('p', insert('b'), insert('c'));
      const etags = await it.write(
        'p',
        insert('a'),
        replace('b', changed),
        remove('c', removed),
        upsert('d'),
      );
      const rows = await it.readAll({ partitions: 'p', limit: 10 });
      expect(rows.map((row) => row.rowKey)).toEqual(['a', 'b', 'd']);
      expect([etags[0], etags[1], etags[3]]).toEqual(rows.map((row) => row.etag));
      expect(etags[2]).toBeUndefined();
    });

    test.each(REFUSALS)('%s refuses the whole and names its place', async (_, third, reason) => {
      const [etag = ''] = await it.write('p', insert('stored', 'kept'), insert('other', 'kept'));
      const outcome = await it.commit(
        'p',
        insert('new'),
        upsert('other', 'changed'),
        third(etag),
        insert('late'),
        upsert('later'),
      );
      expect(outcome).toEqual({ kind: 'refused', index: 2, reason });
      const rows = await it.readAll({ partitions: 'p', limit: 10 });
      expect(rows.map((row) => [row.rowKey, heldBy(row)])).toEqual([
        ['other', 'kept'],
        ['stored', 'kept'],
      ]);
    });

    test('the first of several operations that do not hold is named', async () => {
      await it.write('p', insert('x'), insert('y'));
      const outcome = await it.commit('p', upsert('w'), remove('none'), insert('x'), insert('y'));
      expect(outcome).toEqual({ kind: 'refused', index: 1, reason: 'row-missing' });
    });

    test('a refused transaction leaves the ETags as they were', async () => {
      const [etag = ''] = await it.write('p', insert('a'), insert('b'));
      await it.commit('p', replace('a', etag), insert('b'));
      expect(await it.write('p', replace('a', etag))).toHaveLength(1);
    });

    test('100 rows commit at once', async () => {
      const keys = Array.from({ length: 100 }, (_, index) => `r${String(index).padStart(3, '0')}`);
      const etags = await it.write('p', ...keys.map((key) => insert(key, key)));
      const rows = await it.readAll({ partitions: 'p', limit: 1_000 });
      expect(rows.map((row) => row.rowKey)).toEqual(keys);
      expect(rows.map((row) => heldBy(row))).toEqual(keys);
      expect(rows.map((row) => row.etag)).toEqual(etags);
    });

    test('the last of 100 operations is named when it does not hold', async () => {
      await it.write('p', insert('stored'));
      const keys = Array.from({ length: 99 }, (_, index) => `r${index}`);
      const outcome = await it.commit('p', ...keys.map((key) => insert(key)), insert('stored'));
      expect(outcome).toEqual({ kind: 'refused', index: 99, reason: 'row-exists' });
      expect(await it.readAll({ partitions: 'p', limit: 1_000 })).toHaveLength(1);
    });

    test('the same row key in two partitions is two rows', async () => {
      await it.write('p', insert('a', 'in p'));
      await it.write('q', insert('a', 'in q'));
      expect(heldBy(await it.get('p', 'a'))).toBe('in p');
      expect(heldBy(await it.get('q', 'a'))).toBe('in q');
    });
  });

  describe('at the same time', () => {
    test('of writers with one ETag exactly one wins', async () => {
      const [etag = ''] = await it.write('p', insert('a'));
      const names = Array.from({ length: 8 }, (_, index) => `writer ${index}`);
      const outcomes = await Promise.all(
        names.map((name) => it.commit('p', replace('a', etag, name), upsert(`log ${name}`))),
      );
      const winners = names.filter((_, index) => outcomes[index]?.kind === 'committed');
      expect(winners).toHaveLength(1);
      expect(heldBy(await it.get('p', 'a'))).toBe(winners[0]);
      const rows = await it.readAll({ partitions: 'p', limit: 100 });
      expect(rows.map((row) => row.rowKey)).toEqual(['a', `log ${winners[0]}`]);
      const refused = outcomes.filter((outcome) => outcome.kind === 'refused');
      expect(new Set(refused.map((outcome) => outcome.reason))).toEqual(new Set(['row-changed']));
    });

    test('of inserts of one row exactly one wins', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) => it.commit('p', insert('a', String(index)))),
      );
      const winner = outcomes.findIndex((outcome) => outcome.kind === 'committed');
      expect(outcomes.filter((outcome) => outcome.kind === 'committed')).toHaveLength(1);
      expect(heldBy(await it.get('p', 'a'))).toBe(String(winner));
    });

    // The SDK once sent the rows of the last of several concurrent transactions several times:
    // https://github.com/Azure/azure-sdk-for-js/issues/22341
    test('concurrent transactions never mix their rows or their ETags', async () => {
      const commits = Array.from({ length: 60 }, async (_, index) => {
        const partitionKey = `p${index % 7}`;
        const keys = Array.from({ length: 1 + (index % 9) }, (__, row) => `${index}-${row}`);
        const etags = await it.write(partitionKey, ...keys.map((key) => insert(key, key)));
        return keys.map((key, row) => ({ partitionKey, key, etag: etags[row] }));
      });
      const expected = (await Promise.all(commits)).flat();
      const rows = await it.readAll({ partitions: { from: 'p', before: 'q' }, limit: 1_000 });
      expect(rows).toHaveLength(expected.length);
      for (const { partitionKey, key, etag } of expected) {
        const row = rows.find((row) => row.rowKey === key);
        assert(row !== undefined, `row ${key} is there`);
        expect([row.partitionKey, heldBy(row), row.etag]).toEqual([partitionKey, key, etag]);
      }
    });
  });
}
