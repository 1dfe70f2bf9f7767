// One region as the commands see it: where its tables, its settings and its queue are, answered once.
import { createHash } from 'node:crypto';
import {
  AppError,
  type Clock,
  type Digest,
  type DrillSwitch,
  type EntityKind,
  eachQueuePage,
  type Lease,
  type OwnClock,
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
  type Randomness,
  type RecoveryRegion,
  type RegionHold,
  type ReplicationStatus,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import {
  createRecoveryRegion,
  createRetriedStore,
  createTableDrillSwitch,
  createTableLease,
  createTableProof,
  createTableRegionHold,
  createTableReplicationStatus,
  isBlank,
  namesOf,
  readConfigurationRow,
  readRecordedBucketCount,
  tandemSettings,
} from '@tandem/storage';
import { UsageError } from '../exit-codes.ts';
import type { InventoryRegion } from '../inventory/inventory.ts';
import type { Io } from '../io.ts';
import { createPatience, type Patience } from './patience.ts';

/** A region as the commands see it. */
export interface CliRegion {
  readonly name: string;
  readonly entry: InventoryRegion;
  readonly store: TableStore;
  /** 0 where none is recorded. */
  readonly bucketCount: number;
  readonly recovery: RecoveryRegion;
  readonly hold: RegionHold;
  readonly status: ReplicationStatus;
  readonly drill: DrillSwitch;
  readonly proof: ReturnType<typeof createTableProof>;
  /** Whoever holds it recovers the region; only a courtesy between operators. */
  readonly lease: Lease;
  /** Bounds how long its namespace is waited for. */
  readonly busPatience: Patience;
  requests(): number;
  /** Begins to count requests anew, and to wait for what was given up. */
  beginRound(): void;
}

export interface OpenCliRegionOptions {
  readonly entry: InventoryRegion;
  readonly kind: EntityKind;
  /** Is what the ids of the rows of one table of clients begin with. */
  readonly idPrefix?: string | undefined;
  readonly openStore: (connection: string) => TableStore;
  readonly requestsMax: number;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Names this run of the program. */
  readonly holder: string;
  /** All regions there are. */
  readonly names: readonly string[];
  /** For how long it may say nothing while it is asked. */
  readonly silenceMsMax: number;
  /** Counts where the region records none. */
  readonly bucketCount: number;
}

/** Opens a region, reading how many buckets it has. Throws what its store throws. */
export async function openCliRegion(options: OpenCliRegionOptions): Promise<CliRegion> {
  const { entry, kind, clock, silenceMsMax } = options;
  const patience = createPatience({
    what: `The table store of ${entry.name}`,
    code: 'TABLE_UNAVAILABLE',
    clock,
    silenceMsMax,
  });
  const busPatience = createPatience({
    what: `The namespace of ${entry.name}`,
    code: 'BUS_UNAVAILABLE',
    clock,
    silenceMsMax,
  });
  const counted = countRequests(
    patience.listen(options.openStore(entry.storage)),
    options.requestsMax,
  );
  const store = patience.hurry(createRetriedStore(counted, options));
  const recorded = await readRecordedBucketCount(store, kind);
  const bucketCount = recorded ?? options.bucketCount;
  const peers = options.names.filter((name) => name !== entry.name);
  return {
    name: entry.name,
    entry,
    store,
    bucketCount,
    recovery: createRecoveryRegion({
      region: entry.name,
      store,
      kind,
      bucketCount,
      peers,
      idPrefix: options.idPrefix,
    }),
    hold: createTableRegionHold({ store }),
    status: createTableReplicationStatus({ store }),
    drill: createTableDrillSwitch({ store }),
    proof: createTableProof({ store }),
    lease: createTableLease({ store, clock, name: 'recovery', holder: options.holder }),
    busPatience,
    requests: () => counted.requests(),
    beginRound() {
      counted.beginRound();
      patience.beginRound();
      busPatience.beginRound();
    },
  };
}

interface CountedStore extends TableStore {
  requests(): number;
  /** Begins to count anew, for work that goes on round by round. */
  beginRound(): void;
}

/** Counts what is asked of a store, since the service bills it, and refuses more than the bound. */
export function countRequests(store: TableStore, requestsMax: number): CountedStore {
  let requests = 0;
  const count = async <T>(ask: () => Promise<T>): Promise<T> => {
    requests += 1;
    if (requests > requestsMax) {
      throw new TerminalError(
        'RECOVERY_REFUSED',
        `It would take more than ${requestsMax} requests to one region. Raise --requests-max, or do ` +
          'it bucket by bucket with --bucket.',
      );
    }
    return ask();
  };
  return {
    requests: () => requests,
    beginRound: () => void (requests = 0),
    createTable: (table) => count(() => store.createTable(table)),
    get: (table, partitionKey, rowKey) => count(() => store.get(table, partitionKey, rowKey)),
    commit: (transaction) => count(() => store.commit(transaction)),
    query: (range) => count(() => store.query(range)),
    timeMs: () => count(() => store.timeMs()),
  };
}

/**
 * Returns the bucket that was asked for, or all of them. Throws `UsageError` for one that there is
 * not.
 */
export function chooseBuckets(
  buckets: readonly string[],
  wanted: string | undefined,
): readonly string[] {
  if (wanted === undefined) return buckets;
  if (buckets.includes(wanted)) return [wanted];
  throw new UsageError(
    `There is no bucket "${wanted}"; there are ${buckets[0]} to ${buckets.at(-1)}.`,
  );
}

/**
 * Makes a SHA-256 that is cut to 16 hex digits: it is compared by people, and nobody tries to forge
 * it.
 */
export function createSha256Digest(): Digest {
  const hash = createHash('sha256');
  return {
    update: (text) => void hash.update(text),
    hex: () => hash.digest('hex').slice(0, DIGITS),
  };
}

const DIGITS = 16;

/** Is the name of a setting. */
export type Named = keyof typeof tandemSettings;

/**
 * Reads the text of a setting of a region, also under its old name; undefined where it has none or
 * no table for them.
 */
export async function readSettingText(
  { store }: Pick<CliRegion, 'store'>,
  setting: Named,
): Promise<string | undefined> {
  try {
    for (const name of namesOf(setting, tandemSettings[setting])) {
      const text = await readConfigurationRow(store, name);
      if (text !== undefined && !isBlank(text)) return text;
    }
    return undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

type DurationSetting =
  | 'Readiness.LagMsMax'
  | 'Readiness.WaitMsMax'
  | 'Readiness.HeartbeatMsMax'
  | 'Tombstone.AgeMs'
  | 'Tables.DeletedKeepMs'
  | 'Clock.DriftMsMax'
  | 'Receipt.SkewMsMax';

/** Reads a duration as the region does: what it cannot use it would not have started with. */
export function readDurationMs(
  region: Pick<CliRegion, 'store'>,
  name: DurationSetting,
): Promise<number> {
  return readNumber(region, name);
}

/** Says by what clock a claim that the region tells is judged here. */
export async function readOwnClock(
  region: Pick<CliRegion, 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<OwnClock> {
  return { driftMsMax: await readDurationMs(region, 'Clock.DriftMsMax'), nowMs: clock.nowMs() };
}

/** Returns the same of a setting that need not be set; undefined where it is not. */
export async function readOptionalMs(
  region: Pick<CliRegion, 'store'>,
  name: 'Archive.KeepMs' | 'Conflicts.KeepMs',
): Promise<number | undefined> {
  const text = await readSettingText(region, name);
  const parsed = text === undefined ? undefined : tandemSettings[name].parse(text);
  return parsed?.kind === 'value' ? parsed.value : undefined;
}

/** Returns the newest wire version that every region reads, as far as the region's table says. */
export function readWireVersion(region: Pick<CliRegion, 'store'>): Promise<number> {
  return readNumber(region, 'Messages.WireVersion');
}

async function readNumber(
  region: Pick<CliRegion, 'store'>,
  name: DurationSetting | 'Messages.WireVersion',
): Promise<number> {
  const setting = tandemSettings[name];
  const text = await readSettingText(region, name);
  const parsed = text === undefined ? undefined : setting.parse(text);
  if (parsed?.kind === 'value') return parsed.value;
  return Number(defaultOf(name));
}

function defaultOf(name: Named): string {
  const { presence } = tandemSettings[name];
  return presence.kind === 'default' ? String(presence.value) : '';
}

/** Returns the shortest of the regions: what any of them may have collected counts as gone. */
export async function readTombstoneAgeMs(regions: readonly CliRegion[]): Promise<number> {
  const ages = await Promise.all(
    regions.map((region) => readDurationMs(region, 'Tombstone.AgeMs')),
  );
  return Math.min(...ages);
}

/** Where a queue is, and where it is administered. */
export interface QueuePlace {
  readonly connection: string;
  readonly queue: string;
  readonly administrationConnection?: string;
}

/**
 * Finds where the region's queue is: as the inventory has it, else as the region is set; undefined
 * where neither tells.
 */
export async function findQueue(region: CliRegion): Promise<QueuePlace | undefined> {
  const { serviceBus, serviceBusAdministration, queue } = region.entry;
  const connection = serviceBus ?? (await readSettingText(region, 'ServiceBusConnection'));
  if (connection === undefined) return undefined;
  return {
    connection,
    queue:
      queue ?? (await readSettingText(region, 'Customer.Queue')) ?? defaultOf('Customer.Queue'),
    ...(serviceBusAdministration === undefined
      ? {}
      : { administrationConnection: serviceBusAdministration }),
  };
}

/** Finds where the region's queue is. Throws `UsageError` where nobody tells. */
export async function requireQueue(region: CliRegion): Promise<QueuePlace> {
  const place = await findQueue(region);
  if (place !== undefined) return place;
  throw new UsageError(
    `Neither the inventory nor the Configuration of ${region.name} says where its queue is: name ` +
      'its serviceBus in the inventory.',
  );
}

/** More than this is listed as "and more": an operator repairs then, and does not read. */
const QUEUED_MAX = 100_000;

/**
 * Opens the queue of the region, and closes it when the work is done. Looking has the patience of
 * the region.
 */
export async function withQueue<T>(
  region: CliRegion,
  io: Pick<Io, 'openQueue'>,
  work: (queue: QueueViewer) => Promise<T>,
): Promise<T> {
  const { busPatience } = region;
  const { connection, queue: name } = await requireQueue(region);
  const queue = io.openQueue({ connection, queue: name });
  try {
    return await work({
      ...queue,
      peek: (...asked) => busPatience.bound(() => queue.peek(...asked)),
    });
  } finally {
    await busPatience.bound(() => queue.close()).catch(ignoreSilence);
  }
}

/** Lets an error of the service go: what hangs does not say goodbye either. */
function ignoreSilence(error: unknown): void {
  if (!(error instanceof AppError)) throw error;
}

/** Reads the first messages of a lane; for what must see every message there is `eachQueuePage`. */
export async function readLane(
  queue: QueueViewer,
  lane: QueueLane,
): Promise<readonly QueuedMessage[]> {
  const found: QueuedMessage[] = [];
  for await (const page of eachQueuePage(queue, lane)) {
    found.push(...page);
    if (found.length >= QUEUED_MAX) break;
  }
  return found;
}
