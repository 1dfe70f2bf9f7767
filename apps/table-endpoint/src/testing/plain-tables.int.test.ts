import { fileURLToPath } from 'node:url';
import { describeTableStoreContract } from '@tandem/core/testing';
import { createAzureTableStore } from '@tandem/storage';
import { startAzurite } from '@tandem/storage/testing';

const MAIN = fileURLToPath(new URL('./plain-tables.ts', import.meta.url));

describeTableStoreContract('the plain tables that find rows by their keys', async () => {
  const tables = await startAzurite({ main: MAIN });
  const store = createAzureTableStore({ connectionString: tables.connectionString });
  return { store, close: () => tables.stop() };
});
