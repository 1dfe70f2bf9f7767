import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { Region } from '@tandem/local-cluster';
import { createAzureTableStore, createTableOutbox } from '@tandem/storage';
import { until } from '../customers-client.ts';

/** Everything that the region owes is archived and in its peer's queue, and its outbox is empty. */
export async function untilSent(
  { name, addresses }: Region,
  bucketCount = BUCKET_COUNT_DEFAULT,
): Promise<void> {
  const store = createAzureTableStore({ connectionString: addresses.tables });
  const outbox = createTableOutbox({ store, kind: customerKind, bucketCount });
  await until(`an empty outbox in ${name}`, async () => {
    for (const bucket of outbox.buckets) {
      if ((await outbox.scan({ bucket, limit: 1 })).entries.length > 0) return undefined;
    }
    return true;
  });
}
