import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createTableProof } from './table-proof.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

async function setUp() {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  return { store, proof: createTableProof({ store }) };
}

test('the newest proof is there, with its time and its regions, and none before there is one', async () => {
  const { proof } = await setUp();
  expect(await proof.read()).toBeUndefined();
  await proof.keep({ asOfMs: 5, regions: ['east', 'west'] });
  await proof.keep({ asOfMs: 1_234, regions: ['east', 'north', 'west'] });
  expect(await proof.read()).toEqual({ asOfMs: 1_234, regions: ['east', 'north', 'west'] });
});

test.each([
  new Map(),
  new Map([['regions', { type: 'String' as const, value: 'east,west' }]]),
  new Map([['asOf', { type: 'String' as const, value: 'yesterday' }]]),
])('I16: a row that says no time proves nothing', async (properties) => {
  const { store, proof } = await setUp();
  const operations = [{ kind: 'insert' as const, rowKey: 'proof', properties }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await proof.read()).toBeUndefined();
  await proof.keep({ asOfMs: 5, regions: [] });
  expect(await proof.read()).toMatchObject({ asOfMs: 5 });
});
