// What the packages, apps and tools build on, named one by one. What only tests need is in `@tandem/core/testing`,
// adapters in memory in `/memory`, the kind of the customers in `/customers`.
import './require-node.ts';

// What arrives: whether it is believed, and why it is refused.
export {
  believedMs,
  believedPeer,
  believedPeers,
  CLAIM_AHEAD_MS_MAX,
  isBelievable,
  newestMs,
  newestReads,
  type OwnClock,
} from './arrival/claims.ts';
export {
  createNotices,
  joinNotices,
  type Notices,
  type NoticesOptions,
} from './arrival/notices.ts';
export {
  isMessageFault,
  isRefusalReason,
  REFUSAL_REASONS,
  REFUSALS,
  type RefusalReason,
} from './arrival/refusal.ts';
// The catalogue of client tables: its records, and what follows from them.
export {
  CATALOG_BUCKET_COUNT,
  type CatalogRecord,
  catalogKind,
  formatGeneration,
  readGeneration,
  readRecordId,
  recordIdOf,
  SERVICE_RECORD_ID,
  tableKeyOf,
} from './catalogue/catalog-kind.ts';
export {
  type Catalogue,
  checkFixed,
  checkSettings,
  currentTable,
  decideAdopt,
  decideCreate,
  decideDelete,
  decideRestore,
  findPurgeable,
  findPurged,
  isLiving,
  KEEP_SETTINGS,
  nextGeneration,
  readCatalogue,
  type StoredRecord,
  type TableGeneration,
  type TableSettings,
  toChange,
  toCreation,
  toDeletion,
  toPurge,
} from './catalogue/decide-catalogue.ts';
export {
  hidingTableIds,
  keepSettingsOf,
  keepsOf,
  leftTableIds,
  rowsIdOf,
  rowsKindOf,
  type TableKeep,
} from './catalogue/table-keeps.ts';
export {
  checkMirrorEnd,
  decideMirror,
  decideReturn,
  decodeMirror,
  encodeMirror,
  isMirroredStill,
  isReturnOf,
  type ReturnStep,
  sourceAfterReturn,
  type TableMirror,
} from './catalogue/table-mirror.ts';
export {
  decideMove,
  decodeOrigin,
  describeMove,
  encodeOrigin,
  isMoving,
  type MoveStep,
  type Origin,
  spacesOf,
  type TableMove,
  type TableSpaces,
  UNREADABLE_ORIGIN,
} from './catalogue/table-move.ts';
export {
  advanceSource,
  type CopyCounts,
  decodeSource,
  encodeSource,
  isHeldIn,
  isLeaving,
  isOverlaid,
  overlaidBy,
  type ReadSource,
  readable,
  SOURCE_NAME,
  type SourceEvent,
  type SourceProof,
  type SourceState,
  type TableSource,
  UNREADABLE,
} from './catalogue/table-source.ts';
// What bounds, pages and repeats work.
export { chunk, forEachBounded, pagesOf } from './concurrency/bounded.ts';
export {
  type RetryOptions,
  type RetryPolicy,
  retry,
  retryDelayMs,
  untilUncontended,
} from './concurrency/retry.ts';
// Drills.
export {
  type DrillPrediction,
  failOverBounds,
  type PredictOptions,
  type ProbeSettings,
  predictDrill,
} from './drill/predict-drill.ts';
export { type DrillOptions, type DrillReport, runDrill, settlingMs } from './drill/run-drill.ts';
// Entity kinds: how they are defined, and what their fields may hold.
export {
  BUCKET_COUNT_DEFAULT,
  BUCKET_COUNT_MAX,
  bucketNames,
  bucketOf,
  entityBucketOf,
  ROWS_BUCKET_COUNT_DEFAULT,
} from './entity-kind/bucket.ts';
export {
  checkEntityId,
  type EntityFault,
  findEntityFault,
  findMarkFault,
  toAllFieldValues,
  toEntity,
  toFieldValues,
  withinReadable,
  withinUnknown,
} from './entity-kind/entity-fields.ts';
export {
  defineEntityKind,
  defineOpenKind,
  defineOwnKind,
  type EntityKind,
  type EntityKindOptions,
  type EntityOf,
  edm,
  isReplicated,
  localRowsKind,
  type OpenKind,
  type OpenKindOptions,
  otherRowsKind,
  peersOfKind,
  rowsKind,
  type TypedKind,
} from './entity-kind/entity-kind.ts';
export {
  CHANGE_SET_BYTES_MAX,
  fitsBytes,
  SET_HEAD_BYTES_MAX,
} from './entity-kind/field-budgets.ts';
export {
  decodeOpenId,
  encodeOpenId,
  type IdRange,
  OPEN_KEYS_LENGTH_MAX,
  type OpenKey,
  openIdRange,
  openPartitionOf,
  openPartitionPrefix,
  openTableId,
  tableIdOf,
} from './entity-kind/open-id.ts';
// The three kinds of trouble.
export {
  AppError,
  type AppErrorCode,
  type AppErrorOptions,
  assert,
  assertNever,
  TerminalError,
  TransientError,
} from './errors.ts';
// The way in: receive, apply, archive.
export { type Applier, type ApplierOptions, createApplier } from './inbound/apply-change-sets.ts';
export {
  type ArchiveInRoundsOptions,
  type ArchiveRounds,
  archiveInRounds,
} from './inbound/archive-in-rounds.ts';
export { mergeRows } from './inbound/decide-apply.ts';
export { createInbound, type InboundOptions } from './inbound/inbound.ts';
export type { ProbedSet } from './inbound/isolate-fault.ts';
export { type AppliedClaimOptions, createAppliedClaim } from './inbound/watermark-tracker.ts';
// The limits of Table Storage.
export { operationBytes, rowBytes, valueBytes } from './limits/row-size.ts';
export {
  COMPARISONS_MAX,
  checkKey,
  checkRange,
  checkTableName,
  checkTransaction,
  findKeyFault,
  findValueFault,
  isAskable,
  isPropertyName,
  isTableName,
  KEY_LENGTH_MAX,
  PROPERTIES_MAX,
  ROW_BYTES_MAX,
  ROWS_PER_TRANSACTION_MAX,
  TRANSACTION_BYTES_MAX,
} from './limits/table-limits.ts';
// The words: what is stored, changed, lost and settled.
export {
  archivePartitionOf,
  CHANGES_PER_SET_MAX,
  CHANGES_WITH_OUTBOX_MAX,
  type Change,
  type ChangeSet,
  type Fragment,
  type FragmentHead,
  type Operation,
  originOf,
  transactionOf,
} from './model/change-set.ts';
export {
  type Conflict,
  type ContestedField,
  eraseConflict,
  joinConflicts,
} from './model/conflict.ts';
export { type DrillOrder, isOutForDrill } from './model/drill-order.ts';
// What of archives, journals and tombstones may go, and how far back they go since.
export {
  type Horizons,
  horizonOf,
  joinHorizons,
  latestHorizon,
  NO_HORIZONS,
} from './model/horizons.ts';
export {
  type Bound,
  type Comparison,
  type ComparisonOperator,
  comparisonsOf,
  KEY_BOXES_MAX,
  type KeyBox,
  type KeyRange,
  keyBoxesOf,
  matches,
  type Predicate,
  printPredicate,
} from './model/predicate.ts';
export {
  NOTICE_KINDS,
  type Notice,
  type NoticeKind,
  type PeerProgress,
  type PeerReads,
  type ReplicationProgress,
} from './model/progress.ts';
// The way out: relay, links to the peers, sweep, and the duties of a replicator.
export { createPeerLink, type PeerLink, type PeerLinkOptions } from './outbound/peer-link.ts';
export {
  createRelay,
  type FinishLateOptions,
  type FinishOptions,
  finishAtOnce,
  finishLate,
  type Relay,
  type RelayOptions,
  type RelaySteps,
} from './outbound/relay.ts';
export {
  createRelayQueue,
  type RelayQueue,
  type RelayQueueOptions,
} from './outbound/relay-queue.ts';
export {
  createReplicator,
  type Replicator,
  type ReplicatorOptions,
} from './outbound/replicator.ts';
export { type SweepOptions, type SweepReport, scanOutbox, sweep } from './outbound/sweep.ts';
// What the outside must do, in those words: each comment is the contract.
export type { Archive, ArchiveEntry, ArchiveKey, ArchiveSpan } from './ports/archive.ts';
export type { ChangePublisher, MessageSubject, OutboundMessage } from './ports/change-publisher.ts';
export type {
  ChangeReceiver,
  InboundMessage,
  OldestMessage,
  Settlement,
} from './ports/change-receiver.ts';
export type { Clock } from './ports/clock.ts';
export type { ConflictJournal, UntoldConflict } from './ports/conflict-journal.ts';
export type { DrillAnswer, DrillClient, DrillSwitch } from './ports/drill.ts';
export type { FragmentKeeper, KeptFragment } from './ports/fragment-keeper.ts';
export type { Hold, Lease, RegionHold } from './ports/lease.ts';
export type { Outbox, OutboxEntry } from './ports/outbox.ts';
export {
  type DeadLetterReplacement,
  type DeadLetterVerdict,
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
  SET_ASIDE_DESCRIPTION,
  SET_ASIDE_REASON,
} from './ports/queue-viewer.ts';
export type { Randomness } from './ports/randomness.ts';
export type {
  ArchiveKeeper,
  ArchiveRow,
  HorizonRecord,
  RecoveryRegion,
  RowScanner,
  ScannedArchiveRow,
} from './ports/recovery-region.ts';
export type { Replica, RowWrite, StoredRow } from './ports/replica.ts';
export type { Heartbeat, ReplicationStatus } from './ports/replication-status.ts';
export type {
  CommitOutcome,
  Properties,
  RowOperation,
  RowPage,
  RowRange,
  TableRow,
  TableStore,
  Transaction,
} from './ports/table-store.ts';
// When a region may take traffic.
export {
  decideReadiness,
  type Readiness,
  type ReadinessSettings,
  type UnreadyReason,
} from './readiness/decide-readiness.ts';
// What operators run: fill, verify, repair, replay, erase.
export { type BringOverOptions, type BroughtOver, bringOver } from './recovery/bring-over.ts';
export { type Difference, isSameState } from './recovery/difference.ts';
export {
  countOutboxRows,
  eachQueuePage,
  eraseDeadLetters,
  eraseEntity,
  eraseState,
  findHolding,
  findTraces,
  holdsValues,
  type Traces,
} from './recovery/erase-entity.ts';
export {
  type FillOptions,
  type FillPhase,
  type FillReport,
  fillRegion,
  planFill,
} from './recovery/fill-region.ts';
export { holdLeases, RECOVERY_LEASE_MS } from './recovery/hold-leases.ts';
export { type ConflictDifference, repairJournals } from './recovery/journals.ts';
export type { WriteAtRisk } from './recovery/list-at-risk.ts';
export {
  countReplay,
  findArchiveStart,
  type PlannedReplay,
  type PlanReplayOptions,
  planReplay,
  type ReplayCounts,
  type ReplayMode,
  type ReplayPlan,
} from './recovery/plan-replay.ts';
export {
  type ApplyRepairOptions,
  applyRepair,
  joinChangeSets,
  type PlannedRepair,
  type PlanOptions,
  planRepair,
  type RepairPlan,
} from './recovery/repair-regions.ts';
export {
  type DamagedArchiveRow,
  mergeStatesInto,
  type ReplayInPlaceOptions,
  type ReplayIntoOptions,
  type ReplayProgress,
  type ReplaySpan,
  replayInPlace,
  replayInto,
} from './recovery/replay.ts';
export { type DeadLetterLink, settleDeadLetters } from './recovery/settle-dead-letters.ts';
export { type RiskSurvey, type SurveyRiskOptions, surveyRisk } from './recovery/survey-risk.ts';
export {
  type DamagedRow,
  type Digest,
  type VerifyOptions,
  type VerifyReport,
  verifyRegions,
} from './recovery/verify-regions.ts';
// How a region stands, for people.
export {
  CONFLICTS_COUNTED_MAX,
  type DirectionStatus,
  type KindSources,
  measureClockOffset,
  type RegionSources,
  type RegionStatus,
  readRegionStatus,
} from './region-status/read-region-status.ts';
export {
  readTombstones,
  retentionHorizonMs,
  tombstoneHorizonMs,
} from './retention/retention-horizon.ts';
export {
  findFullBefore,
  type SizedSpans,
  type TrimReport,
  trimArchive,
} from './retention/trim-archive.ts';
// States of entities: how they are written, merged and compared.
export {
  adoptedStamp,
  adoptedState,
  adoptionOf,
  timestampOfTag,
} from './state/adopted-state.ts';
export {
  type EntityState,
  fieldsSince,
  fingerprintOf,
  isAlive,
  isCollectable,
  isFingerprint,
  latestStamp,
  type StampedField,
  type StoredState,
  stampsOf,
  toPossibleState,
} from './state/entity-state.ts';
export {
  covers,
  decodeVector,
  encodeVector,
  hasSeen,
  mergeVectors,
  newestStamp,
  publicETag,
  publicTimestamp,
  publicVersion,
  type VersionVector,
  vectorWith,
} from './state/version-vector.ts';
export {
  changesNothing,
  type FieldValues,
  type MergePolicy,
  NULL_UNITS_MAX,
  type Write,
  writeEntity,
} from './state/write-entity.ts';
// Times, stamps and the clock that makes them.
export {
  createHybridClock,
  type DriftReport,
  type HybridClock,
  type HybridClockOptions,
} from './time/hybrid-clock.ts';
export { readInstantMs } from './time/instant.ts';
export {
  formatStamp,
  isPossibleStamp,
  isRegionName,
  isStamp,
  maxStamp,
  OLD_REGION,
  parseStamp,
  type Stamp,
  stampRegion,
  stampTimeMs,
} from './time/stamp.ts';
// Values of fields, and texts as people paste them.
export {
  canonicalValue,
  decodeFieldValue,
  type EdmType,
  type EncodedFieldValue,
  encodeFieldValue,
  type FieldValue,
  isBase64Text,
  isDateTimeText,
  isEdmType,
  isGuidText,
  isInt32,
  isInt64,
  isSameValue,
  isWholeText,
  type NullableFieldValue,
} from './values/field-value.ts';
export {
  escapeLineBreakers,
  partOfConnectionString,
  readPastedText,
  SERVICE_BUS_PARTS,
  STORAGE_PARTS,
  tidyConnectionString,
  unwrapPastedText,
} from './values/text.ts';
// Which requests from a browser are let in.
export {
  ALLOWED_HOSTS_PATTERN,
  createRequestJudge,
  type JudgeRequest,
  readAllowedHosts,
} from './web/judge-request.ts';
// How change sets, conflicts and watermarks are bytes.
export {
  decodeChangeSet,
  decodeStoredChangeSet,
  deflateChangeSet,
  encodeChange,
  encodeChangeSet,
  inflateChangeSet,
  joinChangeSet,
} from './wire/change-set-bytes.ts';
export {
  decodeConflict,
  encodeConflict,
  encodeStoredConflict,
} from './wire/encode-conflict.ts';
export {
  type Cuttable,
  decodeFragment,
  decodeStoredFragment,
  encodeFragmentHead,
  fragmentCountOf,
  fragmentsOf,
  isFragment,
  joinFragments,
  LARGE_SET_BOUNDS,
  LARGE_SET_PLAIN_BYTES_MAX,
  type LargeSetBounds,
  setKeyOf,
} from './wire/large-set.ts';
export { plainBodyOf, readableSetsIn, unpackChangeSets } from './wire/message-body.ts';
export {
  ADOPTED_WIRE_VERSION,
  BASE_WIRE_VERSION,
  DEFLATED_WIRE_VERSION,
  FULL_WIRE_VERSION,
  LARGE_WIRE_VERSION,
  MARK_WIRE_VERSION,
  NEWEST_WIRE_VERSION,
  PACK_WIRE_VERSION,
  REQUEST_WIRE_VERSION,
  WHOLE_WIRE_VERSION,
  WIRE_VERSION,
} from './wire/versions.ts';
export { decodeWatermark } from './wire/watermark.ts';
