import {
  bucketNames,
  type Clock,
  type EntityKind,
  type FillOptions,
  type FillReport,
  fillRegion,
  type HorizonRecord,
  type Horizons,
  latestHorizon,
  pagesOf,
  type Randomness,
  type RecoveryRegion,
  type RegionHold,
  type RetryPolicy,
  type RowScanner,
  retry,
  type TableStore,
  TerminalError,
  tableIdOf,
} from '@tandem/core';
import { createTombstoneHorizons } from '../retention/collect-tombstones.ts';
import { judgeRow } from '../rows/entity-row.ts';
import { ENTITY_ROWS_FROM, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
import { createTableProof } from '../status/status-tables.ts';
import { createRowMemory } from '../tables/row-memory.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableOutbox } from '../tables/table-outbox.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createConflictHorizons } from '../tables/trim-conflicts.ts';
import { createTableArchiveKeeper } from './archive-keeper.ts';

export interface RecoveryRegionOptions {
  readonly region: string;
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** The other regions, which are told of conflicts that recovering finds; none by default. */
  readonly peers?: readonly string[];
  /** Only the rows whose ids begin with it, and what is archived and recorded of them; all of the kind by default. */
  readonly idPrefix?: string | undefined;
}

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

/** Shows one entity kind of a region as the recovery use cases see it. Only names the tables. */
export function createRecoveryRegion(options: RecoveryRegionOptions): RecoveryRegion {
  const { region, store, kind, bucketCount, peers = [] } = options;
  const whole: RecoveryRegion = {
    region,
    entityKind: kind.name,
    buckets: bucketNames(bucketCount),
    rows: createTableRowScanner({ store, kind, bucketCount }),
    replica: createTableReplica({ store, kind, bucketCount, memory: createRowMemory(LITTLE) }),
    archive: createTableArchiveKeeper({ store }),
    conflicts: createTableConflictJournal({ store, kinds: [kind], bucketCount, peers }),
    outbox: createTableOutbox({ store, kind, bucketCount }),
    conflictsFrom: createConflictHorizons({ store, entityKind: kind.name }),
    ...(kind.form === 'open'
      ? { tombstones: createTombstoneHorizons({ store, entityKind: kind.name }) }
      : {}),
  };
  return options.idPrefix === undefined ? whole : within(whole, options.idPrefix);
}

/** Shows of a region what is of one table of clients, by what the ids of its rows begin with. */
function within(whole: RecoveryRegion, idPrefix: string): RecoveryRegion {
  const tableId = tableIdOf(idPrefix);
  const isOfTable = ({ entityId }: { readonly entityId: string }): boolean =>
    entityId.startsWith(idPrefix);
  // What is recorded of the kind counts for the table; what is recorded of the table says nothing of the kind.
  const own = (horizons: Horizons): Horizons => {
    const horizonMs = latestHorizon(horizons, tableId);
    return {
      kindMs: undefined,
      tables: new Map(horizonMs === undefined ? [] : [[tableId, horizonMs]]),
    };
  };
  const recordOf = (record: HorizonRecord): HorizonRecord => ({
    read: async () => own(await record.read(new Set([tableId]))),
    raise: (...raised) => record.raise(...raised),
  });
  const { archive, conflicts, tombstones, conflictsFrom } = whole;
  return {
    ...whole,
    idPrefix,
    rows: { scan: (bucket, prefix = idPrefix) => whole.rows.scan(bucket, prefix) },
    archive: {
      ...archive,
      horizonMs: (entityKind) => archive.horizonMs(entityKind, tableId),
      horizons: async (entityKind) => own(await archive.horizons(entityKind, new Set([tableId]))),
    },
    conflicts: {
      ...conflicts,
      async *scan(...asked) {
        for await (const one of conflicts.scan(...asked)) if (isOfTable(one)) yield one;
      },
    },
    ...(tombstones === undefined ? {} : { tombstones: recordOf(tombstones) }),
    ...(conflictsFrom === undefined ? {} : { conflictsFrom: recordOf(conflictsFrom) }),
  };
}

export interface TableRowScannerOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  /** Without it a row in another bucket than its own counts as one. */
  readonly bucketCount?: number;
  /** Names another table than the kind's own. */
  readonly table?: string;
}

const PAGE_ROWS = 1_000;

/** Reads the rows of one entity kind in the order of their keys, outbox rows left out. */
export function createTableRowScanner(options: TableRowScannerOptions): RowScanner {
  const { store, kind, table = kind.name, bucketCount } = options;
  return {
    async *scan(bucket, idPrefix) {
      const keys =
        idPrefix === undefined
          ? { rowsFrom: ENTITY_ROWS_FROM, rowsBefore: SYSTEM_ROWS_FROM }
          : { rowsFrom: idPrefix, rowsBefore: endOfPrefix(idPrefix) };
      const range = { table, partitions: bucket, ...keys, limit: PAGE_ROWS };
      for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
        for (const row of rows) {
          const judged = judgeRow(row, { kind, bucketCount });
          const { rowKey } = row;
          yield judged.kind === 'row' ? { kind: 'row', rowKey, row: judged.row } : judged;
        }
      }
    },
  };
}

/** Comes after everything that begins with the prefix, which ends in a letter or digit. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

const RETRY: RetryPolicy = { attemptsMax: 5, delayMsMin: 100, delayMsMax: 2_000 };

/** Asks for reads again, and for a commit only when nothing was done: a command outlasts a throttled table. */
export function createRetriedStore(
  store: TableStore,
  { clock, randomness }: { readonly clock: Clock; readonly randomness: Randomness },
): TableStore {
  const again = <T>(ask: () => Promise<T>): Promise<T> =>
    retry(ask, { policy: RETRY, clock, randomness });
  return {
    createTable: (table) => again(() => store.createTable(table)),
    get: (table, partitionKey, rowKey) => again(() => store.get(table, partitionKey, rowKey)),
    query: (range) => again(() => store.query(range)),
    timeMs: () => again(() => store.timeMs()),
    commit: (transaction) =>
      retry(() => store.commit(transaction), {
        policy: RETRY,
        clock,
        randomness,
        retryIf: (error) => error.code !== 'TABLE_OUTCOME_UNKNOWN',
      }),
  };
}

export interface RebuildRegionOptions
  extends Omit<FillOptions, 'target' | 'sources' | 'tombstoneAgeMs'> {
  readonly target: {
    readonly recovery: RecoveryRegion;
    readonly store: TableStore;
    readonly hold: RegionHold;
  };
  readonly sources: readonly RecoveryRegion[];
  /** Makes what is missing of tables and settings; called when the region is held. */
  readonly prepare: () => Promise<void>;
  /** Names what is filled, where that is one table of clients; all of the region by default. */
  readonly only?: string;
  /** Asked for once all is prepared. */
  readonly tombstoneAgeMs: () => Promise<number>;
}

/**
 * Fills a region from the others while it is held, and lets it go once it is proven equal. Held before the
 * tables are made: one that is there and empty must not look caught up. Interrupted, it stays held, and the
 * same call goes on. Throws `RECOVERY_REFUSED` when somebody else has held it meanwhile.
 */
export async function rebuildRegion(options: RebuildRegionOptions): Promise<FillReport> {
  const { target, sources, prepare, only, tombstoneAgeMs, ...rest } = options;
  const what = only === undefined ? 'It' : `Its table ${only}`;
  const reason = `${what} is being filled from the others.`;
  if (only !== undefined) await refuseOtherHold(target.hold, reason);
  const hold = { reason, sinceMs: options.clock.nowMs() };
  await target.hold.set(hold);
  await prepare();
  const report = await fillRegion({
    ...rest,
    target: target.recovery,
    sources,
    tombstoneAgeMs: await tombstoneAgeMs(),
  });
  const { isEqual, asOfMs } = report.proof;
  if (!isEqual) return report;
  const regions = [target.recovery, ...sources].map(({ region }) => region);
  // One table proves nothing of the others.
  if (only === undefined) await createTableProof(target).keep({ asOfMs, regions });
  await target.hold.release(hold);
  return report;
}

/** A region that lacks more than one table must not be let go once that one is filled. */
async function refuseOtherHold(hold: Pick<RegionHold, 'read'>, reason: string): Promise<void> {
  const held = await hold.read();
  if (held === undefined || held.reason === reason) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `The region is held: ${held.reason} Fill all of it with tandem rebuild-region without --table, which lets it go.`,
  );
}
