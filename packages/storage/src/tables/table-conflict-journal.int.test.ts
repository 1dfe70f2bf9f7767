import { afterAll } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { describeConflictJournal } from '../testing/conflict-journal-contract.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';

let azurite: Azurite | undefined;

afterAll(async () => azurite?.stop());

describeConflictJournal('Azurite', async () => {
  azurite ??= await startAzurite();
  return createAzureTableStore({ connectionString: azurite.connectionString });
});
