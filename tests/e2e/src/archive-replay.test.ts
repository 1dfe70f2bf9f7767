import { randomUUID } from 'node:crypto';
import {
  BUCKET_COUNT_DEFAULT,
  bucketNames,
  pagesOf,
  replayInto,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createAzureTableStore, createTableReplica } from '@tandem/storage';
import { createTableArchiveKeeper } from '@tandem/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, listCustomers, send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';

let cluster: E2eCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.stop());

/** Every row but those of the outbox, column for column. */
async function readTable(store: TableStore, table: string): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const bucket of bucketNames(BUCKET_COUNT_DEFAULT)) {
    const range = { table, partitions: bucket, rowsBefore: '~', limit: 1_000 };
    for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
      for (const row of page.rows) rows[`${bucket}/${row.rowKey}`] = row.properties;
    }
  }
  return rows;
}

test('I5: replaying east’s archive into an empty table gives exactly east’s table', async () => {
  const apis = ['east', 'west'].map((name) => cluster.region(name).addresses.api);
  const ids = Array.from({ length: 40 }, () => randomUUID());
  const writes = ids.flatMap((id, n) =>
    Array.from({ length: 5 }, (_, turn) => ({ id, n, turn, api: apis[(n + turn) % 2] ?? '' })),
  );
  // Both regions write the same customers at the same time, and a fifth of them are deleted.
  await Promise.all(
    ids.map(async (id) => {
      for (const { n, turn, api } of writes.filter((write) => write.id === id)) {
        const body = { email: `p${n}@example.com`, firstName: `turn ${turn}` };
        await send(`${api}/customers/${id}`, 'PUT', body);
        if (n % 5 === 0 && turn === 3) await send(`${api}/customers/${id}`, 'DELETE');
      }
    }),
  );
  const [east = '', west = ''] = apis;
  await until('equal regions with nothing on the way', async () => {
    const [here, there] = [await listCustomers(east), await listCustomers(west)];
    return JSON.stringify(fieldsOf(here)) === JSON.stringify(fieldsOf(there)) ? true : undefined;
  });

  const region = cluster.region('east');
  const store = createAzureTableStore({ connectionString: region.addresses.tables });
  await store.createTable('Replayed');
  const replica = { store, kind: customerKind, bucketCount: BUCKET_COUNT_DEFAULT };
  const live = await until('an archive that has everything', async () => {
    await replayInto({
      archive: createTableArchiveKeeper({ store }),
      buckets: bucketNames(BUCKET_COUNT_DEFAULT),
      into: createTableReplica({ ...replica, table: 'Replayed' }),
      region: 'east',
      span: {},
    });
    const rows = await readTable(store, customerKind.name);
    const replayed = await readTable(store, 'Replayed');
    expect(replayed).toEqual(rows);
    return rows;
  });
  expect(Object.keys(live)).toHaveLength(ids.length);
});
