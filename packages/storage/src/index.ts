// What the packages, apps and tools build on, named one by one. What only tests, simulation and benchmarks need is
// in `@tandem/storage/testing`.

// The store: Azure Table Storage, and whether it answers.
export { type AzureTableStoreOptions, createAzureTableStore } from './azure/azure-table-store.ts';
// The catalogue of client tables.
export {
  type PurgeTurn,
  type PurgeTurnOptions,
  takePurgeTurn,
} from './catalogue/purge-tables.ts';
export {
  type CreateOutcome,
  createTableCatalogue,
  type FoundTable,
  isCatalogueUsed,
  readTables,
  TABLE_TRUST_MS,
  type TableCatalogue,
  type TableCatalogueOptions,
} from './catalogue/table-catalogue.ts';
// Settings: what there are, where they are written, how they are read and checked.
export {
  CONFIGURATION_TABLE,
  describeOtherCount,
  isBucketCountRecorded,
  readConfigurationRow,
  readConfigurationRows,
  readRecordedBucketCount,
  readRecordedRegions,
  recordBucketCount,
  recordRegions,
} from './configuration/configuration-table.ts';
export {
  type Configuration,
  type ConfigurationOptions,
  createConfiguration,
  type SeedOptions,
  type SettingValue,
  seedConfiguration,
} from './configuration/create-configuration.ts';
export {
  connectionOfSignedUrl,
  type TandemConfiguration,
  tandemSettings,
} from './configuration/definitions.ts';
export { type Peer, readPeers } from './configuration/read-peers.ts';
export {
  currentNameOf,
  describeSettingProblem,
  findOldNames,
  findOverrideProblems,
  isBlank,
  namesOf,
  type OldSettingName,
  type ResolvedSettings,
  readOverrides,
  resolveSettings,
  type SettingDefinitions,
  type SettingProblem,
  type SettingTexts,
} from './configuration/resolve-settings.ts';
export {
  environmentNameOf,
  type Secret,
  type SettingDefinition,
  type TakesEffect,
} from './configuration/setting.ts';
export {
  readSettingHistory,
  type SettingAuthor,
  type SettingChange,
  type SettingWrite,
  writeSetting,
  writeSettings,
} from './configuration/setting-history.ts';
// The replicated table of an entity kind: written, read, listed, and what was before.
export {
  createEntityHistory,
  createStateHistory,
  type EntityHistory,
  type EntityHistoryOptions,
  type HistoryEntry,
  type HistoryPage,
  type StateHistoryEntry,
} from './read/entity-history.ts';
export { createForwardingTable } from './read/forwarding-table.ts';
export { type AdoptedRow, createOldTable, type OldTable } from './read/old-table.ts';
export {
  createOpenTable,
  createOtherSpace,
  type OpenOperation,
  type OpenOutcome,
  type OpenPage,
  type OpenRecord,
  type OpenTable,
  type OpenTableOptions,
  type OtherSpace,
  type OtherSpaceOptions,
  queryOpenTable,
} from './read/open-table.ts';
export { sealCursor, unsealCursor } from './read/page-cursor.ts';
export { OPEN_PAGE_LIMIT_MAX, type OpenQuery } from './read/query-open-rows.ts';
// Recovery, as the commands run it.
export {
  createDamagedRows,
  type DamagedRowFound,
  type DamagedRows,
  type DamagedRowsOptions,
  type RowAddress,
} from './recovery/damaged-rows.ts';
export {
  type ForgetOptions,
  type ForgettingRegion,
  type ForgettingTable,
  findAllTraces,
  forgetEntity,
  type RegionTraces,
} from './recovery/forget-entity.ts';
export {
  createRecoveryRegion,
  createRetriedStore,
  type RebuildRegionOptions,
  type RecoveryRegionOptions,
  rebuildRegion,
} from './recovery/recovery-region.ts';
export { type ReplayIntoTableOptions, replayIntoTable } from './recovery/replay-into-table.ts';
export {
  type Restoration,
  type RestoreConflictOptions,
  type RestoreEntitiesOptions,
  type RestoreReport,
  type RestoringTable,
  restoreConflict,
  restoreEntities,
  restoringOpen,
  restoringTyped,
} from './recovery/restore.ts';
export { type CopyReport, verifyCopy } from './recovery/verify-copy.ts';
export {
  type EntityPage,
  type EntityRecord,
  type ListFilter,
  type OutcomeOf,
  PAGE_LIMIT_MAX,
  type ReplicatedTable,
  type StateRecord,
  type TransactedOf,
  type TransactOperation,
  type TransactOutcome,
  type WriteCondition,
  type WriteOutcome,
} from './replicated-table.ts';
export {
  type CollectOptions,
  collectTombstones,
  createTombstoneHorizons,
  type TombstoneTurnOptions,
  takeTombstoneTurn,
} from './retention/collect-tombstones.ts';
export {
  type RetentionSettings,
  type TrimmedKind,
  type TrimRegionOptions,
  trimRegion,
} from './retention/trim-region.ts';
export type { DamagedEntityRow } from './rows/entity-row.ts';
// What a region says of itself: status, drill, hold, lease, proof.
export { REPLICATION_TABLE, type StatusRow } from './status/status-row.ts';
export {
  createTableDrillSwitch,
  createTableLease,
  createTableProof,
  createTableRegionHold,
  type Proof,
  type TableLeaseOptions,
  type TableProof,
} from './status/status-tables.ts';
export { createStoreProbe } from './status/store-probe.ts';
export {
  type CopyRecord,
  createCopyRecord,
  createMirrorRecord,
  createMoveRecord,
  createTransferRecord,
  type MirrorRecord,
  type MoveRecord,
  mirrorLagMs,
  movePaceOf,
  type NamedRow,
  paceOf,
  type TransferRecord,
} from './status/table-records.ts';
export { createTableReplicationStatus } from './status/table-replication-status.ts';
export { createRowMemory, type RowMemory, type RowMemoryOptions } from './tables/row-memory.ts';
// The ports of core over tables: rows, outbox, archive, conflicts.
export {
  ARCHIVE_TABLE,
  createTableArchive,
  type TableArchiveOptions,
} from './tables/table-archive.ts';
export {
  CONFLICTS_TABLE,
  createTableConflictJournal,
  type TableConflictJournalOptions,
} from './tables/table-conflict-journal.ts';
export {
  createTableFragments,
  hasFragmentsOf,
  type TableFragmentsOptions,
  type TidyFragmentsOptions,
  tidyFragments,
} from './tables/table-fragments.ts';
export { createTableOutbox, type TableOutboxOptions } from './tables/table-outbox.ts';
export { createTableReplica, type TableReplicaOptions } from './tables/table-replica.ts';
export { isCommitted } from './write-path/commit-change-set.ts';
export { type CopiedPage, copyPage, restartCopy } from './write-path/copy-old-table.ts';
export {
  createReplicatedTable,
  createStateTable,
  type ReplicatedTableOptions,
  type StateTable,
  type StateTableOptions,
} from './write-path/create-replicated-table.ts';
export {
  CLOCKS_MS_MAX,
  MIRROR_LEASE,
  MIRROR_WRITE_MS,
  mirrorChanges,
  mirrorPage,
} from './write-path/mirror-page.ts';
