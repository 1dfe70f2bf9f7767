import './require-node.ts';
export * from './errors.ts';
export * from './arrival/claims.ts';
export * from './arrival/notices.ts';
export * from './values/field-value.ts';
export * from './values/encode-field-value.ts';
export * from './values/canonical-value.ts';
export {
  partOfConnectionString,
  readPastedText,
  SERVICE_BUS_PARTS,
  STORAGE_PARTS,
  tidyConnectionString,
  unwrapPastedText,
} from './values/pasted-text.ts';
export * from './limits/row-size.ts';
export * from './limits/table-limits.ts';
export { readInstantMs } from './time/instant.ts';
export * from './time/stamp.ts';
export * from './time/hybrid-clock.ts';
export * from './state/version-vector.ts';
export * from './state/entity-state.ts';
export * from './state/possible-state.ts';
export * from './state/merge.ts';
export * from './state/write-entity.ts';
export * from './entity-kind/entity-kind.ts';
export type { FieldConstraint } from './entity-kind/field-constraint.ts';
export * from './entity-kind/edm.ts';
export * from './entity-kind/field-budgets.ts';
export * from './entity-kind/entity-fault.ts';
export * from './entity-kind/entity-fields.ts';
export * from './entity-kind/bucket.ts';
export * from './replication/change-set.ts';
export * from './replication/encode-change-set.ts';
export { PACK_WIRE_VERSION, unpackChangeSets } from './replication/change-set-pack.ts';
export {
  deflateChangeSet,
  DEFLATED_WIRE_VERSION,
  inflateChangeSet,
} from './replication/deflate-change-set.ts';
export * from './replication/watermark.ts';
export * from './replication/conflict.ts';
export * from './replication/encode-conflict.ts';
export * from './replication/decide-apply.ts';
export * from './arrival/refusal.ts';
export * from './arrival/decode-change-set.ts';
export * from './arrival/read-change-sets.ts';
export * from './arrival/judge-change-set.ts';
export * from './replication/settle.ts';
export * from './replication/peer-link.ts';
export * from './replication/relay.ts';
export * from './replication/finish-late.ts';
export * from './replication/archive-in-rounds.ts';
export * from './replication/relay-queue.ts';
export { scanOutbox } from './replication/scan-outbox.ts';
export * from './replication/sweep.ts';
export * from './replication/apply-change-sets.ts';
export * from './replication/apply-to-bucket.ts';
export * from './replication/tombstone-horizon.ts';
export { applyApart, type ProbedSet } from './replication/isolate-fault.ts';
export * from './replication/inbound.ts';
export * from './replication/watermark-tracker.ts';
export * from './replication/replicator.ts';
export * from './replication/applied-claim.ts';
export * from './readiness/decide-readiness.ts';
export * from './readiness/catch-up.ts';
export * from './drill/drill-order.ts';
export * from './drill/fail-over-bounds.ts';
export * from './drill/predict-drill.ts';
export * from './drill/run-drill.ts';
export * from './drill/drill-tally.ts';
export * from './region-status/clock-offset.ts';
export * from './region-status/read-region-status.ts';
export {
  ALLOWED_HOSTS_PATTERN,
  createRequestJudge,
  type JudgeRequest,
  readAllowedHosts,
} from './web/judge-request.ts';
export * from './concurrency/chunk.ts';
export * from './concurrency/for-each-bounded.ts';
export * from './retry/retry-policy.ts';
export * from './retry/retry.ts';
export type * from './ports/clock.ts';
export type * from './ports/randomness.ts';
export type * from './ports/table-store.ts';
export type * from './ports/change-publisher.ts';
export type * from './ports/change-receiver.ts';
export type * from './ports/outbox.ts';
export type * from './ports/archive.ts';
export type * from './ports/replica.ts';
export type * from './ports/conflict-journal.ts';
export type * from './ports/replication-status.ts';
export type * from './ports/lease.ts';
export type * from './ports/drill-switch.ts';
export type * from './ports/drill-client.ts';
export type * from './ports/region-hold.ts';
export * from './ports/queue-viewer.ts';
export type * from './ports/recovery-region.ts';
export * from './recovery/state-text.ts';
export * from './recovery/compare-bucket.ts';
export * from './recovery/difference.ts';
export * from './recovery/verify-regions.ts';
export * from './recovery/restored-set.ts';
export * from './recovery/join-entities.ts';
export * from './recovery/repair-regions.ts';
export * from './recovery/fold-archive.ts';
export * from './recovery/merge-states-into.ts';
export type { ReplaySpan } from './recovery/replay-span.ts';
export * from './recovery/replay-into.ts';
export * from './recovery/replay-in-place.ts';
export * from './recovery/copy-archive.ts';
export * from './recovery/plan-replay.ts';
export * from './recovery/fill-region.ts';
export * from './recovery/erase-entity.ts';
export * from './recovery/list-at-risk.ts';
export * from './recovery/list-queued-writes.ts';
export * from './recovery/survey-risk.ts';
export * from './recovery/holding-messages.ts';
export * from './recovery/hold-leases.ts';
export * from './recovery/settle-dead-letters.ts';
