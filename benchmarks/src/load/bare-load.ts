/** What a user would write instead, with no second region and no archive. */
import { TableClient, type TransactionAction } from '@azure/data-tables';
import { bucketOf } from '@tandem/core';
import { customerFor, customerId } from './customers.ts';

const TABLE = 'Bare';

export interface BareLoad {
  upsert(customer: number, revision: number): Promise<unknown>;
  /** 100 rows of one partition in one transaction. */
  upsertHundred(nth: number): Promise<unknown>;
}

export const ROWS_PER_BATCH = 100;

export async function createBareLoad(tables: string, bucketCount: number): Promise<BareLoad> {
  const client = TableClient.fromConnectionString(tables, TABLE, { allowInsecureConnection: true });
  await client.createTable();
  return {
    upsert(customer, revision) {
      const rowKey = customerId(customer);
      const partitionKey = bucketOf(rowKey, bucketCount);
      const entity = { partitionKey, rowKey, ...customerFor(customer, revision) };
      return client.upsertEntity(entity, 'Replace');
    },
    upsertHundred(nth) {
      const partitionKey = `batch${nth % bucketCount}`;
      const actions = Array.from({ length: ROWS_PER_BATCH }, (_, index): TransactionAction => {
        const customer = nth * ROWS_PER_BATCH + index;
        const rowKey = customerId(customer);
        return ['upsert', { partitionKey, rowKey, ...customerFor(customer, nth) }, 'Replace'];
      });
      return client.submitTransaction(actions);
    },
  };
}
