import {
  type AppError,
  type Archive,
  CATALOG_BUCKET_COUNT,
  type ConflictJournal,
  catalogKind,
  type DrillSwitch,
  type EntityKind,
  localRowsKind,
  type Outbox,
  otherRowsKind,
  type RegionHold,
  type Replica,
  type ReplicationStatus,
  ROWS_BUCKET_COUNT_DEFAULT,
  rowsKind,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  createRowMemory,
  createTableArchive,
  createTableConflictJournal,
  createTableDrillSwitch,
  createTableOutbox,
  createTableRegionHold,
  createTableReplica,
  createTableReplicationStatus,
  REPLICATION_TABLE,
} from '@tandem/storage';

/** What one region keeps in its storage account, for every entity kind that it replicates. */
export interface RegionTables {
  readonly archive: Archive;
  readonly conflicts: ConflictJournal;
  readonly status: ReplicationStatus;
  readonly drill: DrillSwitch;
  readonly hold: RegionHold;
  /** Are kept by entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
  /** Are kept by entity kind. */
  readonly replicas: ReadonlyMap<string, Replica>;
}

export interface RegionTablesOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  /** Holds for the kinds of an owner; `bucketCountOf` tells that of each. */
  readonly bucketCount: number;
  /** Holds for the rows of the tables of clients; it is `ROWS_BUCKET_COUNT_DEFAULT` by default. */
  readonly rowsBucketCount?: number;
  /** Holds for the rows of those that were moved; without it the region has no space for such: see `kindsIn`. */
  readonly otherRowsBucketCount?: number | undefined;
  /** They are told of the conflicts that are found here; none by default. */
  readonly peers?: readonly { readonly region: string }[];
  /**
   * What the replicas of a kind may take for remembering rows; as `createRowMemory` has it by
   * default.
   */
  readonly rowMemoryBytesMax?: number;
  /** Told of each row of the archive that a history skips. */
  readonly onDamagedArchiveRow?: (row: TableRow, error: AppError) => void;
}

/** What every region carries besides the kinds of an owner: the tables of clients, and their catalogue. */
const OWN_KINDS: readonly EntityKind[] = [catalogKind, rowsKind, localRowsKind, otherRowsKind];

/** Returns the kinds of an owner, and those that every region has; which of these are named already counts once. */
export function withOwnKinds(kinds: readonly EntityKind[]): readonly EntityKind[] {
  const named = new Set(kinds.map(({ name }) => name));
  return [...kinds, ...OWN_KINDS.filter(({ name }) => !named.has(name))];
}

/** Returns those kinds that a region of these settings has: no second space where nobody says how many buckets that has. */
export function kindsIn(
  kinds: readonly EntityKind[],
  { otherRowsBucketCount }: Pick<RegionTablesOptions, 'otherRowsBucketCount'>,
): readonly EntityKind[] {
  if (otherRowsBucketCount !== undefined) return kinds;
  return kinds.filter(({ name }) => name !== otherRowsKind.name);
}

/** Tells whether every region carries the kind, whoever owns it. */
export function isOwnKind(entityKind: string): boolean {
  return OWN_KINDS.some(({ name }) => name === entityKind);
}

/** Returns how many buckets the table of a kind has in a region of these settings. */
export function bucketCountOf(
  entityKind: string,
  {
    bucketCount,
    rowsBucketCount = ROWS_BUCKET_COUNT_DEFAULT,
    otherRowsBucketCount = ROWS_BUCKET_COUNT_DEFAULT,
  }: Pick<RegionTablesOptions, 'bucketCount' | 'rowsBucketCount' | 'otherRowsBucketCount'>,
): number {
  if (entityKind === catalogKind.name) return CATALOG_BUCKET_COUNT;
  if (entityKind === otherRowsKind.name) return otherRowsBucketCount;
  const isRows = entityKind === rowsKind.name || entityKind === localRowsKind.name;
  return isRows ? rowsBucketCount : bucketCount;
}

/** Names the tables, and no more: `createTables` makes them exist. */
export function createRegionTables(options: RegionTablesOptions): RegionTables {
  const { store, kinds } = options;
  const countOf = (entityKind: string): number => bucketCountOf(entityKind, options);
  const peers = options.peers?.map(({ region }) => region) ?? [];
  return {
    archive: createTableArchive({ store, onDamaged: options.onDamagedArchiveRow }),
    conflicts: createTableConflictJournal({ store, kinds, bucketCount: countOf, peers }),
    status: createTableReplicationStatus({ store }),
    drill: createTableDrillSwitch({ store }),
    hold: createTableRegionHold({ store }),
    outboxes: new Map(
      kinds.map((kind) => [
        kind.name,
        createTableOutbox({ store, kind, bucketCount: countOf(kind.name) }),
      ]),
    ),
    replicas: new Map(
      kinds.map((kind) => {
        const memory = createRowMemory({ bytesMax: options.rowMemoryBytesMax });
        const bucketCount = countOf(kind.name);
        return [kind.name, createTableReplica({ store, kind, bucketCount, memory })];
      }),
    ),
  };
}

/** Makes the tables exist, however often it is called. Throws what the store throws. */
export async function createTables({
  store,
  kinds,
}: Pick<RegionTablesOptions, 'store' | 'kinds'>): Promise<void> {
  const names = [...kinds.map(({ name }) => name), ARCHIVE_TABLE, CONFLICTS_TABLE];
  for (const table of [...names, REPLICATION_TABLE]) await store.createTable(table);
}
