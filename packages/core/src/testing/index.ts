import '../require-node.ts';

// What is inside, for the tests of other packages.
export {
  type ArrivalRules,
  judgeChangeSet,
  type ReceivedSet,
} from '../arrival/judge-change-set.ts';
export {
  UNKNOWN_FIELD_BYTES_MAX,
  UNKNOWN_FIELDS_MAX,
  VECTOR_REGIONS_MAX,
} from '../entity-kind/field-budgets.ts';
export { applyToBucket } from '../inbound/apply-change-sets.ts';
export { applyApart } from '../inbound/isolate-fault.ts';
export { findConflicts } from '../model/conflict.ts';
export { scanOutbox } from '../outbound/sweep.ts';
export { copyArchive } from '../recovery/copy-archive.ts';
export { stateText } from '../recovery/difference.ts';
export { joinEntities, restoredSet } from '../recovery/repair-regions.ts';
export { foldArchive } from '../recovery/replay.ts';
export { mergeStates } from '../state/merge.ts';
export { isWriterId, NIL_STAMP, STAMP_POSSIBLE_MS_MAX } from '../time/stamp.ts';
export { decodeConflictMessage, encodeConflictMessages } from '../wire/encode-conflict.ts';
export { encodeFragment } from '../wire/large-set.ts';
export { readChangeSets } from '../wire/message-body.ts';
export * from './change-bus-contract.ts';
export * from './clock-contract.ts';
export { createForger, type Forger, type ForgerOptions } from './forge-message.ts';
export * from './randomness-contract.ts';
export * from './table-store/table-store-contract.ts';
export type { TableStoreHarness } from './table-store/table-store-harness.ts';
