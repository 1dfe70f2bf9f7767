/** What is billed for a write, counted: the shipping code of two regions over a real store. */
import {
  archiveInRounds,
  type ChangePublisher,
  type Clock,
  createApplier,
  createHybridClock,
  createInbound,
  createPeerLink,
  createRelay,
  createRelayQueue,
  DEFLATED_WIRE_VERSION,
  finishLate,
  type HybridClock,
  type InboundOptions,
  type Randomness,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryBus } from '@tandem/core/memory';
import { createRegionTables, createTables, type RegionTables } from '@tandem/region';
import { createSystemClock, createSystemRandomness, createWriterId } from '@tandem/service-kit';
import {
  createAzureTableStore,
  createReplicatedTable,
  createTableFragments,
  type ReplicatedTable,
} from '@tandem/storage';
import { newUsage, noteMessage, noteRequest, type Usage, usageBetween } from '../cost/usage.ts';
import { customerFor, customerId, customerOf } from '../load/customers.ts';
import { runCount } from '../load/run-writers.ts';
import { round, type Spread, spreadOf } from '../stats/spread.ts';

interface Billed {
  readonly writers: number;
  readonly writes: number;
  readonly storageTransactions: number;
  readonly serviceBusOperations: number;
  readonly messageBytes: number;
  readonly perWrite: number;
}

export type BilledRounds = Omit<Billed, 'perWrite'> & { readonly perWrite: Spread };

const LOCK_MS = 60_000;
const QUIET_MS = 700;

interface BilledOptions {
  /** The stores are those of these regions; the bus is in this process. */
  readonly rig: {
    readonly regions: Readonly<Record<'east' | 'west', { readonly tables: string }>>;
  };
  readonly writers: number;
  readonly writes: number;
  readonly customers: number;
  readonly bucketCount: number;
}

/** How many writes share a transaction hangs on the speed of the machine, so that a count, too, has its rounds. */
export async function countBilled({
  rounds,
  ...options
}: BilledOptions & { readonly rounds: number }): Promise<BilledRounds> {
  const counted: Billed[] = [];
  for (let nth = 0; nth < rounds; nth += 1) counted.push(await countOnce(options));
  const sum = (of: Exclude<keyof Billed, 'writers' | 'perWrite'>): number =>
    counted.reduce((all, one) => all + one[of], 0);
  return {
    writers: options.writers,
    writes: sum('writes'),
    storageTransactions: sum('storageTransactions'),
    serviceBusOperations: sum('serviceBusOperations'),
    messageBytes: sum('messageBytes'),
    perWrite: spreadOf(counted.map(({ perWrite }) => perWrite)),
  };
}

async function countOnce(options: BilledOptions): Promise<Billed> {
  const { writers, writes, customers } = options;
  const usage = newUsage();
  const counted = await openCounted(options, usage);
  const write = (nth: number): Promise<unknown> => {
    const customer = customerOf(nth, customers);
    return counted.table.put(customerId(customer), customerFor(customer, nth + Date.now()));
  };
  // What happens only once, such as reading rows that are not yet remembered, is not counted.
  await runCount(writers, customers, write);
  await createSystemClock().sleep(QUIET_MS);
  const before = { ...usage };
  await runCount(writers, writes, write);
  await counted.finish();
  const used = usageBetween(before, usage, 1);
  return {
    writers,
    writes,
    storageTransactions: used.tableRequests,
    serviceBusOperations: used.busOperations,
    messageBytes: used.bytesBetweenRegions,
    perWrite: round((used.tableRequests + used.busOperations) / writes),
  };
}

interface CountedRegions {
  readonly table: ReplicatedTable<typeof customerKind>;
  /** Resolves when the last write was applied and nothing is left to do. */
  finish(): Promise<void>;
}

async function openCounted(
  { rig, bucketCount }: BilledOptions,
  usage: Usage,
): Promise<CountedRegions> {
  const clock = createSystemClock();
  const randomness = createSystemRandomness();
  const bus = createMemoryBus({ clock, lockDurationMs: LOCK_MS, deliveryCountMax: 10 });
  const common = { clock, randomness, bucketCount, usage };
  const east = await openStore(rig.regions.east.tables, common);
  const west = await openStore(rig.regions.west.tables, common);
  const late = finishLate({ ...east.tables, clock });
  const publisher = countingPublisher(bus.publisherFor('west', 'west'), usage);
  const wireVersion = DEFLATED_WIRE_VERSION;
  const links = [createPeerLink({ publisher, clock, randomness, wireVersion })];
  const relayQueue = createRelayQueue({ relay: createRelay({ finish: late, links }), clock });
  const table = createReplicatedTable({
    kind: customerKind,
    store: east.store,
    archive: east.tables.archive,
    hybridClock: createClock('east', common),
    clock,
    randomness,
    bucketCount,
    wireVersion,
    peers: ['west'],
    onCommitted: (entry) => relayQueue.offer(entry),
  });
  const rounds = archiveInRounds({ archive: west.tables.archive, clock });
  const stopping = new AbortController();
  const receiving = receiveUntil(stopping.signal, {
    receiver: bus.receiverFor('west'),
    applier: createApplier({
      region: 'west',
      regions: new Set(['east', 'west']),
      ...west.tables,
      archive: rounds,
      clock,
      hybridClock: createClock('west', common),
      tombstoneAgeMs: Number.POSITIVE_INFINITY,
      store: west.store,
      driftMsMax: Number.POSITIVE_INFINITY,
    }),
    fragments: createTableFragments({ store: west.store, archive: west.tables.archive, clock }),
    clock,
    randomness,
    lockRenewMs: LOCK_MS,
    rounds,
    onWatermark: () => undefined,
  });
  return {
    table,
    async finish() {
      await relayQueue.drain(clock.sleep(LOCK_MS));
      await clock.sleep(QUIET_MS);
      await late.drain(clock.sleep(LOCK_MS));
      stopping.abort();
      await receiving;
    },
  };
}

interface Common {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly bucketCount: number;
  readonly usage: Usage;
}

async function openStore(
  connectionString: string,
  { bucketCount, usage }: Common,
): Promise<{ readonly store: TableStore; readonly tables: RegionTables }> {
  const store = counting(createAzureTableStore({ connectionString }), () => noteRequest(usage));
  const kinds = [customerKind];
  await createTables({ store, kinds });
  return { store, tables: createRegionTables({ store, kinds, bucketCount }) };
}

function createClock(region: string, { clock, randomness }: Common): HybridClock {
  const writer = createWriterId(randomness);
  return createHybridClock({ region, writer, nowMs: () => clock.nowMs(), driftMsMax: LOCK_MS });
}

async function receiveUntil(signal: AbortSignal, inbound: InboundOptions): Promise<void> {
  const receiving = createInbound(inbound);
  while (!signal.aborted) await receiving.receiveOnce(signal);
}

function countingPublisher(inner: ChangePublisher, usage: Usage): ChangePublisher {
  return {
    peer: inner.peer,
    close: () => inner.close(),
    async publish(messages) {
      for (const { body } of messages) noteMessage(usage, body.length);
      await inner.publish(messages);
    },
  };
}

/** A batch of rows is one transaction on the bill, like any other request. */
function counting(store: TableStore, note: () => void): TableStore {
  return {
    createTable: (table) => store.createTable(table),
    get: (...key) => (note(), store.get(...key)),
    commit: (transaction) => (note(), store.commit(transaction)),
    query: (range) => (note(), store.query(range)),
    timeMs: () => (note(), store.timeMs()),
  };
}
