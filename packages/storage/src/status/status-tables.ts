import {
  type Clock,
  type DrillSwitch,
  type Hold,
  isOutForDrill,
  type Lease,
  type RegionHold,
  type RowOperation,
  type TableRow,
  type TableStore,
  TerminalError,
  untilUncontended,
} from '@tandem/core';
import {
  createStatusRow,
  REPLICATION_TABLE,
  type Seen,
  STATUS_PARTITION,
  textColumn,
  timeColumn,
  wholeNumberColumn,
} from './status-row.ts';

interface OverStore {
  readonly store: TableStore;
}

/** Keeps the order of a drill; what no build of ours wrote counts as no order. */
export function createTableDrillSwitch({ store }: OverStore): DrillSwitch {
  const columns = { id: textColumn(), until: timeColumn() };
  const row = createStatusRow({ store, rowKey: 'drill', columns });
  type Order = { readonly id: string; readonly until: number };
  const orderOf = (seen: Seen<Order>) =>
    seen.kind === 'value' ? { id: seen.value.id, untilMs: seen.value.until } : undefined;

  return {
    read: async () => orderOf(await row.look()),
    async begin({ id, untilMs }, nowMs) {
      const seen = await row.look();
      const present = orderOf(seen);
      if (isOutForDrill(present, nowMs) && present.id !== id) return 'taken';
      return (await row.write({ id, until: untilMs }, seen)) ? 'begun' : 'taken';
    },
    async end(id, nowMs) {
      const seen = await row.look();
      const present = orderOf(seen);
      if (present?.id !== id || present.untilMs <= nowMs) return;
      await row.write({ id, until: nowMs }, seen);
    },
  };
}

/** What ends later than any clock but a broken one can have said is free: its holder may be dead. */
const SKEW_MS_MAX = 60_000;

/** Whoever recovers a region holds it. */
export const RECOVERY_LEASE = 'recovery';

export interface TableLeaseOptions {
  readonly store: TableStore;
  readonly clock: Clock;
  readonly name: string;
  /** Names this process. */
  readonly holder: string;
}

/** Keeps who does what only one process may do; the lease is taken and renewed by ETag. */
export function createTableLease({ store, clock, name, holder }: TableLeaseOptions): Lease {
  const row = createLeaseRow({ store, name });

  return {
    async acquire(durationMs) {
      const seen = await row.look();
      const leftMs = seen.kind === 'value' ? seen.value.untilMs - clock.nowMs() : 0;
      const isFree = leftMs <= 0 || leftMs > durationMs + SKEW_MS_MAX;
      if (seen.kind === 'value' && !isFree && seen.value.holder !== holder) return false;
      return await row.write({ holder, untilMs: clock.nowMs() + durationMs }, seen);
    },
    async release() {
      const seen = await row.look();
      if (seen.kind === 'value' && seen.value.holder === holder) await row.drop(seen);
    },
  };
}

/** Tells whether anybody holds the lease; who asks needs none of his own. */
export async function isLeaseTaken({
  store,
  clock,
  name,
  durationMs,
}: Omit<TableLeaseOptions, 'holder'> & {
  /** What its holders take it for, in milliseconds. */
  readonly durationMs: number;
}): Promise<boolean> {
  const seen = await createLeaseRow({ store, name }).look();
  if (seen.kind !== 'value') return false;
  const leftMs = seen.value.untilMs - clock.nowMs();
  return leftMs > 0 && leftMs <= durationMs + SKEW_MS_MAX;
}

function createLeaseRow({ store, name }: Pick<TableLeaseOptions, 'store' | 'name'>) {
  const columns = { holder: textColumn(''), untilMs: wholeNumberColumn() };
  return createStatusRow({ store, partitionKey: 'lease', rowKey: name, columns });
}

/** Says that the regions were proven equal: every write acknowledged before `asOfMs` was everywhere. */
export interface Proof {
  readonly asOfMs: number;
  readonly regions: readonly string[];
}

export interface TableProof {
  /** Returns the newest; undefined when none was ever kept, or none that says its time. */
  read(): Promise<Proof | undefined>;
  keep(proof: Proof): Promise<void>;
}

export function createTableProof({ store }: OverStore): TableProof {
  const columns = { asOf: timeColumn(), regions: textColumn('') };
  const row = createStatusRow({ store, rowKey: 'proof', columns });
  return {
    async read() {
      const seen = await row.look();
      if (seen.kind !== 'value') return undefined;
      return { asOfMs: seen.value.asOf, regions: seen.value.regions.split(',') };
    },
    keep: ({ asOfMs, regions }) => row.put({ asOf: asOfMs, regions: regions.join(',') }),
  };
}

const HOLD = 'hold';
/** Stays when the hold goes, and has another ETag after each change of it. */
const HOLD_GUARD = 'hold-guard';
const CONTENTION = { attemptsMax: 10, remedy: 'Repeat the command.' };

/**
 * Keeps a region out of traffic; a row that nobody can read holds too. Each change is made on the guard that was
 * seen before it, so that one whose answer was lost, and which the store carries out much later, changes nothing
 * any more: it would hold a region that was proven equal and let go since.
 */
export function createTableRegionHold({ store }: OverStore): RegionHold {
  const columns = { reason: textColumn('unknown'), since: timeColumn(0) };
  const row = createStatusRow({ store, rowKey: HOLD, columns });
  const lookAtGuard = () => store.get(REPLICATION_TABLE, STATUS_PARTITION, HOLD_GUARD);
  const change = async (guard: TableRow | undefined, operation: RowOperation): Promise<boolean> => {
    const properties = new Map();
    const guarding: RowOperation =
      guard === undefined
        ? { kind: 'insert', rowKey: HOLD_GUARD, properties }
        : { kind: 'replace', rowKey: HOLD_GUARD, properties, etag: guard.etag };
    const outcome = await store.commit({
      table: REPLICATION_TABLE,
      partitionKey: STATUS_PARTITION,
      operations: [operation, guarding],
    });
    return outcome.kind === 'committed';
  };
  const release = async ({ reason, sinceMs }: Hold): Promise<void> => {
    const seen = await row.look();
    if (seen.kind !== 'value') return;
    const { value } = seen;
    const isSame = value.reason === reason && value.since === Math.trunc(sinceMs);
    if (
      !isSame ||
      !(await change(await lookAtGuard(), { kind: 'delete', rowKey: HOLD, etag: seen.etag }))
    ) {
      throw errorHeldAnew(value.reason);
    }
  };
  return {
    async read() {
      const seen = await row.look();
      if (seen.kind !== 'value') return undefined;
      return { reason: seen.value.reason, sinceMs: seen.value.since };
    },
    async set({ reason, sinceMs }) {
      const properties = row.encode({ reason, since: sinceMs });
      await untilUncontended(async () => {
        const isSet = await change(await lookAtGuard(), {
          kind: 'upsert',
          rowKey: HOLD,
          properties,
        });
        return isSet ? undefined : { contended: 'The hold of the region' };
      }, CONTENTION);
    },
    release,
  };
}

function errorHeldAnew(reason: string): TerminalError {
  return new TerminalError(
    'RECOVERY_REFUSED',
    `The region was held anew meanwhile, and stays so: ${reason} Look at why, and repeat the command.`,
  );
}
