import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { startAzurite } from './start-azurite.ts';

test('what was answered is still there after a stop and a start in the same place', async () => {
  const location = await mkdtemp(join(tmpdir(), 'tandem-azurite-'));
  const first = await startAzurite({ location });
  const { port, connectionString } = first;
  const store = createAzureTableStore({ connectionString });
  await store.createTable('Table');
  const operations = [{ kind: 'insert', rowKey: 'a', properties: new Map() } as const];
  await store.commit({ table: 'Table', partitionKey: 'p', operations });
  await first.stop();
  const unavailable = { code: 'TABLE_UNAVAILABLE' };
  await expect(store.get('Table', 'p', 'a')).rejects.toMatchObject(unavailable);

  const second = await startAzurite({ location, port });
  expect(await store.get('Table', 'p', 'a')).toMatchObject({ rowKey: 'a' });
  await second.stop();
  await rm(location, { recursive: true });
});

test('a port that is taken is an error that says so', async () => {
  const azurite = await startAzurite();
  await expect(startAzurite({ port: azurite.port })).rejects.toThrow(
    /Azurite ended with 1.*EADDRINUSE/s,
  );
  await azurite.stop();
});
