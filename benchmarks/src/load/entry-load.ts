/** What a service of one's own writes: typed and open tables of one region, through the entry that services use. */
import { FULL_WIRE_VERSION, type VersionVector } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { openRegion, type RegionOpenTable } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import type { OpenOperation } from '@tandem/storage';
import { customerFor, customerId } from './customers.ts';

export interface EntryLoad {
  putTyped(customer: number, revision: number): Promise<void>;
  putOpen(customer: number, revision: number): Promise<void>;
  /** So many rows of one partition in one transaction. */
  transact(nth: number, rows: number): Promise<void>;
  /** Resolves when the other region shows the last of what was written in each partition. */
  untilReplicated(): Promise<void>;
}

type OpenKey = Parameters<RegionOpenTable['get']>[0];

const TABLE = 'Opened';
const PARTITIONS = 64;
const WAIT = { waitMs: 1_000, caller: 'benchmark' };
const REPLICATED_MS_MAX = 60_000;
/** Another writer of the same process has the customers below: what two writers change, each has to read again. */
const FIRST_CUSTOMER = 1_000_000;
const SETTINGS = { 'Messages.WireVersion': String(FULL_WIRE_VERSION) };

export async function createEntryLoad(options: {
  readonly tables: string;
  readonly peerTables: string;
}): Promise<EntryLoad> {
  const [east, west] = [await open('east', options.tables), await open('west', options.peerTables)];
  await east.catalogue.create(TABLE);
  const [rows, there] = [east.openTable(TABLE), west.openTable(TABLE)];
  /** By partition, for the rows of one arrive in their order: asks the other region whether it shows the last. */
  const last = new Map<string, () => Promise<boolean>>();
  const remember = (key: OpenKey, version: VersionVector): void => {
    last.set(key.partitionKey, async () => {
      // The catalogue reaches the other region as rows do.
      const { kind } = await there.reach(key, version, WAIT).catch(() => ({ kind: 'not-reached' }));
      return kind === 'reached';
    });
  };
  return {
    async putTyped(customer, revision) {
      const id = customerId(FIRST_CUSTOMER + customer);
      const version = versionOf(
        await east.tables.customers.put(id, customerFor(customer, revision)),
      );
      last.set(`customer ${customer % PARTITIONS}`, async () => {
        return (await west.tables.customers.reach(id, version, WAIT)).kind === 'reached';
      });
    },
    async putOpen(customer, revision) {
      const key = { partitionKey: `p${customer % PARTITIONS}`, rowKey: customerId(customer) };
      remember(key, versionOf(await rows.put(key, valuesOf(customer, revision))));
    },
    async transact(nth, count) {
      const partitionKey = `batch${nth % PARTITIONS}`;
      const operations = Array.from({ length: count }, (_, index): OpenOperation => {
        const customer = nth * count + index;
        return {
          kind: 'put',
          partitionKey,
          rowKey: customerId(customer),
          values: valuesOf(customer, nth),
        };
      });
      const answer = await rows.transact(operations);
      if (answer.kind !== 'done') throw new Error(`A transaction was answered ${answer.kind}.`);
      const key = { partitionKey, rowKey: customerId(nth * count + count - 1) };
      remember(key, versionOf(answer.outcomes.at(-1)));
    },
    async untilReplicated() {
      await untilAll(last.values());
      last.clear();
    },
  };
}

function open(region: string, store: string) {
  return openRegion({
    region,
    store,
    tables: { customers: customerKind },
    settings: SETTINGS,
    logger: createLogger({ service: 'benchmark', region, level: 'fatal' }),
  });
}

async function untilAll(asked: Iterable<() => Promise<boolean>>): Promise<void> {
  const deadlineMs = performance.now() + REPLICATED_MS_MAX;
  for (const isThere of asked) {
    while (!(await isThere())) {
      if (performance.now() > deadlineMs) throw new Error('A row never reached the peer.');
    }
  }
}

function versionOf(
  outcome: { readonly kind: string; readonly record?: { readonly version: VersionVector } } = {
    kind: 'nothing',
  },
): VersionVector {
  if (outcome.record === undefined) throw new Error(`A write was answered ${outcome.kind}.`);
  return outcome.record.version;
}

/** The values of a row of an open table, each a text. */
export function valuesOf(customer: number, revision: number) {
  const entries = Object.entries(customerFor(customer, revision));
  return new Map(
    entries.map(([name, value]) => [name, { type: 'String', value: String(value) } as const]),
  );
}
