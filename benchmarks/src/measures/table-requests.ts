/** What the tables of both regions are asked for, counted: by writes to one table and to many, and by idle tables. */
import type { TableStore } from '@tandem/core';
import { openRegion, type Region } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { createAzureTableStore } from '@tandem/storage';
import { customerId, customerOf } from '../load/customers.ts';
import { valuesOf } from '../load/entry-load.ts';
import { runCount } from '../load/run-writers.ts';
import type { Rig } from '../rig/start-regions.ts';
import { round } from '../stats/spread.ts';

export interface TableRequests {
  /** Of each write, with as many tables as the name says, beside what the regions ask for while nothing is written. */
  readonly perWrite1: number;
  readonly perWrite20: number;
  readonly perWrite100: number;
  readonly perWrite1000: number;
  /** A second of nothing, of regions with one table and with 500. */
  readonly idlePerSecond1: number;
  readonly idlePerSecond500: number;
}

const WRITERS = 64;
const WRITES = 5_000;
const CUSTOMERS = 1_000;
const IDLE = 500;
const IDLE_MS = 15_000;
/** What a write leaves to do is done within it. */
const QUIET_MS = 2_000;

export async function countTableRequests(rig: Rig): Promise<TableRequests> {
  let requests = 0;
  const note = (): void => {
    requests += 1;
  };
  const east = await openCounted(rig, 'east', note);
  const west = await openCounted(rig, 'west', note);
  const during = async (work: () => Promise<unknown>): Promise<number> => {
    const before = requests;
    await work();
    return requests - before;
  };
  const write = async (tables: number, idlePerSecond: number): Promise<number> => {
    await create(tables);
    const opened = Array.from({ length: tables }, (_, nth) => east.openTable(`Table${nth}`));
    const put = (nth: number): Promise<unknown> => {
      const customer = customerOf(nth, CUSTOMERS);
      // Each row is of one table, so that all are met as soon as there were as many writes.
      return opened[customer % tables]!.put(
        { partitionKey: `p${customer % WRITERS}`, rowKey: customerId(customer) },
        valuesOf(customer, nth),
      );
    };
    // What happens only once, such as reading rows that are not yet remembered, is not counted.
    await runCount(WRITERS, CUSTOMERS, put);
    await pause(QUIET_MS);
    const startedMs = performance.now();
    const counted = await during(async () => {
      await runCount(WRITERS, WRITES, put);
      await pause(QUIET_MS);
    });
    const seconds = (performance.now() - startedMs) / 1_000;
    return round((counted - idlePerSecond * seconds) / WRITES);
  };
  const idle = async (): Promise<number> =>
    round((await during(() => pause(IDLE_MS))) / (IDLE_MS / 1_000));
  let created = 0;
  const create = async (tables: number): Promise<void> => {
    while (created < tables) await east.catalogue.create(`Table${created++}`);
    await pause(QUIET_MS);
  };
  try {
    await create(1);
    const idlePerSecond1 = await idle();
    const perWrite1 = await write(1, idlePerSecond1);
    const perWrite20 = await write(20, idlePerSecond1);
    const perWrite100 = await write(100, idlePerSecond1);
    await create(IDLE);
    const idlePerSecond500 = await idle();
    const perWrite1000 = await write(1_000, idlePerSecond500);
    return { perWrite1, perWrite20, perWrite100, perWrite1000, idlePerSecond1, idlePerSecond500 };
  } finally {
    await Promise.all([east.stop(), west.stop()]);
  }
}

function openCounted(
  { regions }: Rig,
  name: 'east' | 'west',
  note: () => void,
): Promise<Region<Record<string, never>>> {
  const { tables, brokerAdmin } = regions[name];
  const store = createAzureTableStore({ connectionString: tables });
  return openRegion({
    region: name,
    store: counting(store, note),
    tables: {},
    replicate: true,
    administrationConnection: brokerAdmin,
    logger: createLogger({ service: 'benchmark', region: name, level: 'fatal' }),
  });
}

/** A transaction over several rows is one request on the bill. */
function counting(store: TableStore, note: () => void): TableStore {
  return {
    createTable: (table) => store.createTable(table),
    get: (...key) => (note(), store.get(...key)),
    commit: (transaction) => (note(), store.commit(transaction)),
    query: (range) => (note(), store.query(range)),
    timeMs: () => (note(), store.timeMs()),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
