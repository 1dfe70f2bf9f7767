/** What the pattern's first form uses, counted: in line an upsert, an archive row and a message. */

import type { FieldValue, TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore, createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { customerFor, customerId } from '../load/customers.ts';
import { countedStore, type Latencies } from './counted-ports.ts';
import { newUsage, noteMessage, type Usage, usageBetween } from './usage.ts';

const ARCHIVE = 'FirstFormArchive';
const PARTITION = 'Customer';
const WRITES = 200;

/** Of one write. What a region does without any is nothing: it has no sweep and no watermark. */
export async function countFirstForm(regions: number, latencies: Latencies): Promise<Usage> {
  const clock = createVirtualClock(0);
  const usage = newUsage();
  const stores = await Promise.all(
    Array.from({ length: regions }, async () => {
      const store = countedStore(createMemoryTableStore(), { clock, usage, ...latencies });
      for (const table of [customerKind.name, ARCHIVE]) await store.createTable(table);
      return store;
    }),
  );
  const [own, ...peers] = stores;
  const [putCustomer, putArchived] = [upsertInto(customerKind.name), upsertInto(ARCHIVE)];
  const write = async (nth: number): Promise<void> => {
    const properties = new Map(
      Object.entries(customerFor(nth, nth)).map(([name, value]): [string, FieldValue] => [
        name,
        { type: 'String', value: String(value) },
      ]),
    );
    const rowKey = customerId(nth);
    await putCustomer(own!, rowKey, properties);
    await putArchived(own!, rowKey, properties);
    const body = JSON.stringify({ rowKey, referenceId: rowKey, ...Object.fromEntries(properties) });
    for (const peer of peers) {
      noteMessage(usage, Buffer.byteLength(body));
      await clock.sleep(latencies.busMs);
      await putCustomer(peer, rowKey, properties);
    }
  };
  const run = async (): Promise<void> => {
    for (let nth = 0; nth < WRITES; nth += 1) await write(nth);
  };
  await driveVirtualTime(clock, run());
  return usageBetween(newUsage(), usage, WRITES);
}

type Put = (
  store: TableStore,
  rowKey: string,
  properties: ReadonlyMap<string, FieldValue>,
) => Promise<void>;

function upsertInto(table: string): Put {
  return async (store, rowKey, properties) => {
    const operations = [{ kind: 'upsert' as const, rowKey, properties }];
    await store.commit({ table, partitionKey: PARTITION, operations });
  };
}
