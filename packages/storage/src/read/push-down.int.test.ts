import { afterAll, beforeAll } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { describePushDown } from '../testing/push-down-contract.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite.stop());

describePushDown('Azurite', {
  openStore: async () => createAzureTableStore({ connectionString: azurite.connectionString }),
  runs: 15,
});
