import { BUCKET_COUNT_DEFAULT, bucketNames, encodeVector } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { Region } from '@tandem/local-cluster';
import { createAzureTableStore } from '@tandem/storage';
import { createTableRowScanner } from '@tandem/storage/testing';

/** By id, what an answer would show of each customer. */
export type Replayed = Readonly<Record<string, unknown>>;

/** Reads a table that a replay made, as the API would answer from it. */
export async function readReplayed(
  { addresses }: Region,
  table: string,
  bucketCount = BUCKET_COUNT_DEFAULT,
): Promise<Replayed> {
  const store = createAzureTableStore({ connectionString: addresses.tables });
  const scanner = createTableRowScanner({ store, kind: customerKind, table });
  const found: Record<string, unknown> = {};
  for (const bucket of bucketNames(bucketCount)) {
    for await (const scanned of scanner.scan(bucket)) {
      if (scanned.kind === 'damaged') throw new Error(scanned.problem);
      const { entityId, state } = scanned.row;
      if ((state.alive ?? '') < (state.deleted ?? '')) continue;
      const valueOf = (name: string) => state.fields.get(name)?.value?.value ?? null;
      found[entityId] = {
        customerId: entityId,
        email: valueOf('email'),
        firstName: valueOf('firstName'),
        lastName: valueOf('lastName'),
        phoneNumber: valueOf('phoneNumber'),
        version: encodeVector(state.vector),
      };
    }
  }
  return found;
}
