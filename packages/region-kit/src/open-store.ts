import { STORAGE_PARTS, type TableStore, tidyConnectionString } from '@tandem/core';
import { createAzureTableStore } from '@tandem/storage';

const ACCOUNT_URL = /^https?:\/\//i;

/**
 * The tables of a storage account, named by a connection string or by its URL; with a URL the
 * process's own identity is used. Throws `CONFIGURATION_INVALID` for what is neither; connects
 * when first used.
 */
export function openStore(connection: string): TableStore {
  return ACCOUNT_URL.test(connection)
    ? createAzureTableStore({ accountUrl: connection })
    : createAzureTableStore({ connectionString: tidyConnectionString(connection, STORAGE_PARTS) });
}
