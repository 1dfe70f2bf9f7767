import type { FoundRegionTable } from '@tandem/region';
import { expect, test } from 'vitest';
import { createRegionServedTables, type ServedRegion } from './region-tables.ts';

/** Serves a table whose catalogue record, and the service's, hold what nobody can read. */
function serveDamaged(text: string) {
  const table = { name: 'Orders', acl: text };
  return createRegionServedTables({
    catalogue: { service: async () => text } as ServedRegion['catalogue'],
    findTable: async () => ({ table }) as FoundRegionTable,
    syncedMs: async () => undefined,
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
