// A plain table that stands beside one region moves under all of them, and back, while clients use it: the parts of it that
// processes have, over the same endpoint, duties and commands as those that ship. See docs/adr/0040 and 0047.
import {
  CATALOG_BUCKET_COUNT,
  type Clock,
  catalogKind,
  createNotices,
  type HybridClock,
  type OpenKind,
  type OutboxEntry,
  otherRowsKind,
  rowsKind,
} from '@tandem/core';
import {
  createCopyDuty,
  createMirrorDuty,
  createOpenTables,
  createSources,
  type Duty,
  type OpenSource,
  type RegionOpenTables,
  type RegionOpenTablesOptions,
  readRegionSettings,
} from '@tandem/region/testing';
import { createLogger } from '@tandem/service-kit';
import {
  createOtherSpace,
  createReplicatedTable,
  createRowMemory,
  createStateTable,
  createTableArchive,
  createTableCatalogue,
  createTableConflictJournal,
  createTableLease,
  createTableReplica,
  createTableReplicationStatus,
  MIRROR_LEASE,
  type TandemConfiguration,
} from '@tandem/storage';
import type { Report } from '../checkers/watch.ts';
import type { ProcessContext } from '../processes/process-context.ts';
import type { MigrationPlan } from '../run/run-plan.ts';
import { bucketCountOf, kindsOf } from '../tables/open-tables.ts';
import type { TablesLedger } from '../tables/tables-ledger.ts';
import type { World } from '../world/world.ts';
import { checkMigration, hasMoved, watchMigration } from './check-migration.ts';
import {
  createPlainAccounts,
  fillOld,
  openPlain,
  type PlainAccounts,
  startOutages,
} from './plain-accounts.ts';
import {
  closeMigration,
  createMigrationDesk,
  type MigrationDesk,
  migrate,
} from './run-migrator.ts';
import { type PlainOperation, runPlainClient, type SeenRow } from './run-plain-client.ts';

const HELD_MS = 24 * 60 * 60_000;
/** Clocks differ by five seconds at most: docs/adr/0047. */
const CLOCK_MS: readonly [number, number] = [-2_400, 2_400];
const MIRROR_MS = 3_000;

interface ServedParts {
  readonly clock: Clock;
  readonly hybridClock: HybridClock;
  readonly wireVersion: number;
  readonly configuration: TandemConfiguration;
  readonly onCommitted: (entry: OutboxEntry) => void;
}

interface Returned {
  /** True time. */
  readonly atMs: number;
  readonly rows: readonly SeenRow[];
}

/** All of a migration that outlives a process. */
export interface Migration {
  readonly plan: MigrationPlan;
  /** Accounts of plain tables, by name. */
  readonly accounts: PlainAccounts;
  readonly ledger: TablesLedger;
  readonly history: PlainOperation[];
  readonly desk: MigrationDesk;
  /** The rows of the old table when it all began. */
  readonly initial: readonly SeenRow[];
  /** Each time that the table became another one, whose rows have ETags of their own. */
  readonly returns: Returned[];
  /** When (true time) the faults are over. */
  facesTroubleUntilMs: number;
  /** Those that are at work. */
  clients: number;
  /** Since when (true time) there is a table; infinite before. */
  adoptedMs: number;
  /** Makes the endpoint of an API process. */
  serve(context: ProcessContext, parts: ServedParts): RegionOpenTables;
  /** Makes what a replicator does for it. */
  dutiesOf(context: ProcessContext, configuration: TandemConfiguration): readonly Duty[];
  /** Opens an account as a process does that has its address. */
  openPlain(context: ProcessContext, part: string): OpenSource;
  operate(context: ProcessContext): Promise<void>;
  close(context: ProcessContext): Promise<void>;
  startClients(beforeMs: number): void;
  hasConverged(): boolean;
  check(): Promise<void>;
}

export async function createMigration(
  world: World,
  plan: MigrationPlan,
  { ledger, report }: { readonly ledger: TablesLedger; readonly report: Report },
): Promise<Migration> {
  const accounts = createPlainAccounts(world);
  const migration: Migration = {
    plan,
    accounts,
    ledger,
    history: [],
    desk: createMigrationDesk(),
    initial: await fillOld(accounts, world),
    returns: [],
    clients: 0,
    facesTroubleUntilMs: 0,
    adoptedMs: Number.POSITIVE_INFINITY,
    serve: (context, parts) => serve(migration, context, parts),
    dutiesOf: (context, configuration) => dutiesOf(migration, context, configuration),
    openPlain: (context, part) => openPlain(accounts, context, part),
    operate: (context) => migrate(migration, context),
    close: (context) => closeMigration(migration, context),
    startClients(beforeMs) {
      const { history, desk } = migration;
      migration.facesTroubleUntilMs = beforeMs;
      const isOver = (): boolean => desk.isClosed;
      for (let index = 0; index < plan.clients; index += 1) {
        migration.clients += 1;
        runPlainClient({ world, plan, history, index, isOver })
          .catch((error: unknown) => world.reportBug(undefined, error))
          .finally(() => (migration.clients -= 1));
      }
      startOutages(accounts, world, beforeMs);
    },
    hasConverged: () => hasMoved(migration, world),
    check: () => checkMigration(migration, world, report),
  };
  for (const { name, clock } of [...world.slots, ...world.operatorSlots]) {
    clock.setOffset(world.draw.integer(`${name}.clock`, CLOCK_MS));
  }
  watchMigration(migration, world, report);
  return migration;
}

function serve(
  migration: Migration,
  context: ProcessContext,
  { clock, hybridClock, wireVersion, configuration, onCommitted }: ServedParts,
): RegionOpenTables {
  const { randomness, peers, region, incarnation, world } = context;
  const store = context.store('tables');
  const archive = createTableArchive({ store });
  const parts = {
    store,
    archive,
    hybridClock,
    clock,
    randomness,
    wireVersion,
    peers,
    onCommitted,
  };
  const conflicts = createTableConflictJournal({
    store,
    kinds: kindsOf(world.plan),
    bucketCount: (entityKind) => bucketCountOf(entityKind, world.plan),
    peers,
  });
  const spaceIn = (kind: OpenKind) => {
    const bucketCount = bucketCountOf(kind.name, world.plan);
    const own = { ...parts, kind, bucketCount, memory: createRowMemory() };
    return { ...own, states: createStateTable(own), replica: createTableReplica(own) };
  };
  const [rows, otherRows] = [spaceIn(rowsKind), spaceIn(otherRowsKind)];
  const catalog = { ...parts, kind: catalogKind, bucketCount: CATALOG_BUCKET_COUNT };
  return createOpenTables({
    catalogue: createTableCatalogue({
      store,
      table: createReplicatedTable(catalog),
      clock,
      keepMs: () => HELD_MS,
    }),
    spaceOf({ own, other }) {
      const [here, there] = own === rowsKind ? [rows, otherRows] : [otherRows, rows];
      const { replica: into } = here;
      const joined = other && createOtherSpace({ ...there, into, conflicts });
      return { rows: { ...here, other: joined }, consistency: NOT_ASKED };
    },
    region,
    peers,
    sources: createSources({
      configuration,
      openSource: migration.openPlain(context, 'forward'),
      clock,
      randomness,
    }),
    notices: createNotices({ clock }),
    clock,
    stopping: incarnation.signal,
  });
}

const notAsked = (): never => {
  throw new Error('No client of the simulation asks how far a write of a table is.');
};
const NOT_ASKED: NonNullable<ReturnType<RegionOpenTablesOptions['spaceOf']>>['consistency'] = {
  reach: notAsked,
  acknowledgementOf: notAsked,
  receiptFor: notAsked,
  readReceipt: notAsked,
  whereApplied: notAsked,
};

function dutiesOf(
  migration: Migration,
  context: ProcessContext,
  configuration: TandemConfiguration,
): readonly Duty[] {
  const { plan } = migration;
  const { region, randomness, incarnation } = context;
  const logger = createLogger({
    service: 'replicator',
    region,
    level: 'fatal',
    destination: { write: () => undefined },
  });
  const opened = { configuration, settings: readRegionSettings(configuration, region) };
  const partsOf = (part: string) => {
    const store = context.store(part);
    const clock = context.clock(part);
    const activity = {
      notices: createNotices({ clock }),
      noteCopy: () => undefined,
      noteMirrors: () => undefined,
    };
    return {
      region,
      clock,
      randomness,
      logger,
      store,
      kinds: [catalogKind, rowsKind, ...(plan.movesOn ? [otherRowsKind] : [])],
      opened,
      tables: { archive: createTableArchive({ store }) },
      status: createTableReplicationStatus({ store }),
      activity,
      openSource: migration.openPlain(context, part),
      lease: (name: string) => createTableLease({ store, clock, name, holder: incarnation.writer }),
    };
  };
  const copy = partsOf('copy');
  const mirror = partsOf('mirror');
  const free = { acquire: async () => true, release: async () => undefined };
  return [
    {
      ...createCopyDuty({ ...copy, copyLease: plan.hasTwoCopiers ? free : copy.lease('copy') }),
      intervalMs: () => plan.copyMs,
    },
    {
      ...createMirrorDuty({ ...mirror, mirrorLease: mirror.lease(MIRROR_LEASE) }),
      intervalMs: () => MIRROR_MS,
    },
  ];
}
