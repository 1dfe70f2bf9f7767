import { afterAll, beforeAll } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { describeRetention, describeTableRetention } from '../testing/retention-contract.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';

let azurite: Azurite | undefined;

beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite?.stop());

const openStore = async () => {
  await azurite?.stop();
  azurite = await startAzurite();
  return createAzureTableStore({ connectionString: azurite.connectionString });
};

describeRetention('Azurite', openStore);
describeTableRetention('Azurite', openStore);
