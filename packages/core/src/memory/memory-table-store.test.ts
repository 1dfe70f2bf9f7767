import { describe, expect, test } from 'vitest';
import { describeTableStoreContract } from '../testing/table-store/table-store-contract.ts';
import { createMemoryTableStore } from './memory-table-store.ts';

describeTableStoreContract('memory', async () => ({
  store: createMemoryTableStore({ nowMs: () => Date.now() }),
}));

describe('the memory store', () => {
  test('keeps what was written, whatever the caller does to it afterwards', async () => {
    const store = createMemoryTableStore();
    await store.createTable('Table');
    const bytes = Uint8Array.of(1);
    const properties = new Map([['v', { type: 'Binary', value: bytes } as const]]);
    const operations = [{ kind: 'insert', rowKey: 'a', properties } as const];
    await store.commit({ table: 'Table', partitionKey: 'p', operations });
    bytes[0] = 2;
    properties.clear();
    const row = await store.get('Table', 'p', 'a');
    expect(row?.properties.get('v')).toEqual({ type: 'Binary', value: Uint8Array.of(1) });
  });

  test('tells no time that it was not given', async () => {
    expect(await createMemoryTableStore().timeMs()).toBeUndefined();
  });

  test('knows a table by its name in any case, as Table Storage does', async () => {
    const store = createMemoryTableStore();
    await store.createTable('Devices');
    expect(await store.get('devices', 'p', 'a')).toBeUndefined();
  });

  test('gives the same ETags for the same calls', async () => {
    const etagsOf = async () => {
      const store = createMemoryTableStore();
      await store.createTable('Table');
      const operations = ['a', 'b'].map(
        (rowKey) => ({ kind: 'upsert', rowKey, properties: new Map() }) as const,
      );
      return store.commit({ table: 'Table', partitionKey: 'p', operations });
    };
    expect(await etagsOf()).toEqual(await etagsOf());
  });
});
