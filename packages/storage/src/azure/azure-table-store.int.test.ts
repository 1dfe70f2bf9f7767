import { describeTableStoreContract } from '@tandem/core/testing';
import { startAzurite } from '../testing/start-azurite.ts';
import { createAzureTableStore } from './azure-table-store.ts';

describeTableStoreContract('Azurite', async () => {
  const azurite = await startAzurite();
  const store = createAzureTableStore({ connectionString: azurite.connectionString });
  return { store, close: () => azurite.stop() };
});
