import type { OpenRecord, OpenTable, TableCatalogue } from '@tandem/storage';
import { expect, test } from 'vitest';
import { createRegionServedTables } from './region-tables.ts';

/** Serves a table whose catalogue record, and the service's row, hold what nobody can read. */
function serveDamaged(text: string) {
  const table = {
    name: 'Orders',
    key: 'orders',
    generation: 0,
    rowsOf: 0,
    policy: 'row',
    acl: text,
  };
  const catalogue = { find: async () => ({ table, trustedUntilMs: 0 }) };
  const values = new Map([['document', { type: 'String', value: text }]]);
  const rows = { get: async () => ({ values }) as unknown as OpenRecord };
  return createRegionServedTables({
    catalogue: catalogue as unknown as TableCatalogue,
    openRows: () => rows as unknown as OpenTable,
    syncedAt: async () => undefined,
  });
}

test.each(['[{"id":"a","permissions":"raud"}]', '<SignedIdentifiers>', '', 'null'])(
  'policies and properties that nobody can read let nobody in and fail no request: %s',
  async (text) => {
    const tables = serveDamaged(text);
    expect((await tables.find('Orders'))?.policies).toEqual([]);
    expect(await tables.properties()).toEqual({});
  },
);
