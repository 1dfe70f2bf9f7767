import {
  type EntityState,
  type FieldValue,
  formatStamp,
  rowsKind,
  type StampedField,
} from '@tandem/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { startAzurite } from '../testing/start-azurite.ts';

const ID = 'aaaaaaaap!0r';
const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
const later = formatStamp({ timeMs: 2, counter: 0, region: 'east', writer: 'w' });

const HARD: readonly (readonly [string, FieldValue])[] = [
  ['id', { type: 'String', value: '' }],
  ['etag', { type: 'String', value: '\u2028"\\' }],
  ['referenceId', { type: 'Guid', value: '0199a1b2-c3d4-4e5f-8a9b-0123456789ab' }],
  ['_vector', { type: 'Int64', value: -(2n ** 63n) }],
  ['_t', { type: 'String', value: 'mine' }],
  ['_ts', { type: 'DateTime', value: '9999-12-31T23:59:59.9999999Z' }],
  ['_x0', { type: 'Binary', value: Uint8Array.of(0, 255) }],
  ['__proto__', { type: 'Boolean', value: false }],
  ['constructor', { type: 'Int32', value: -(2 ** 31) }],
  ['größe', { type: 'Double', value: 5 }],
  ['名前', { type: 'Double', value: Number.NaN }],
  ['नाम', { type: 'Int64', value: 1n }],
  ['e\u0301tat', { type: 'Int32', value: 7 }],
  ['n'.repeat(255), { type: 'String', value: 'x'.repeat(32_768) }],
];

let azurite: Awaited<ReturnType<typeof startAzurite>>;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite.stop());

function stateOf(fields: readonly (readonly [string, FieldValue])[], own = stamp): EntityState {
  return {
    fields: new Map(
      fields.map(([name, value]): [string, StampedField] => [name, { value, stamp: own }]),
    ),
    alive: own,
    deleted: undefined,
    base: own,
    vector: new Map([['east', own]]),
  };
}

test('I12: a store gives back a row of hard names and values, written whole, and by its changed columns', async () => {
  const store = createAzureTableStore({ connectionString: azurite.connectionString });
  await store.createTable(rowsKind.name);
  const replica = createTableReplica({ store, kind: rowsKind, bucketCount: 1 });
  const many = Array.from(
    { length: 252 },
    (_, nth) => [`n${nth}`, { type: 'Int32', value: nth }] as const,
  );
  for (const [index, fields] of [HARD, many].entries()) {
    const entityId = `${ID}${index}`;
    const row = { state: stateOf(fields), referenceId: undefined };
    expect(await replica.write('00', [{ entityId, row, stored: undefined }])).toEqual({
      kind: 'written',
    });
    const stored = (await replica.read('00', [entityId])).get(entityId);
    expect(stored?.state).toEqual(row.state);
    const changed = fields.map(([name, value], nth) =>
      nth === 0 ? ([name, { type: 'String', value: 'new' }] as const) : ([name, value] as const),
    );
    const next = {
      state: stateOf(changed, later),
      referenceId: `Rows-00-19700101/${later}/${entityId}`,
    };
    expect(await replica.write('00', [{ entityId, row: next, stored }])).toEqual({
      kind: 'written',
    });
    expect((await replica.read('00', [entityId])).get(entityId)).toMatchObject(next);
  }
});
