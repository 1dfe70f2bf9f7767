import './require-node.ts';

export * from './arrival/claims.ts';
export * from './arrival/judge-change-set.ts';
export * from './arrival/notices.ts';
export * from './arrival/refusal.ts';
export * from './concurrency/bounded.ts';
export { untilUncontended } from './concurrency/contention.ts';
export { pagesOf } from './concurrency/pages.ts';
export * from './drill/predict-drill.ts';
export * from './drill/run-drill.ts';
export * from './entity-kind/bucket.ts';
export * from './entity-kind/edm.ts';
export * from './entity-kind/entity-fault.ts';
export * from './entity-kind/entity-fields.ts';
export * from './entity-kind/entity-kind.ts';
export * from './entity-kind/field-budgets.ts';
export type { FieldConstraint } from './entity-kind/field-constraint.ts';
export * from './errors.ts';
export * from './inbound/apply-change-sets.ts';
export * from './inbound/archive-in-rounds.ts';
export * from './inbound/decide-apply.ts';
export * from './inbound/inbound.ts';
export { applyApart, type ProbedSet } from './inbound/isolate-fault.ts';
export * from './inbound/tombstone-horizon.ts';
export * from './inbound/watermark-tracker.ts';
export * from './limits/row-size.ts';
export * from './limits/table-limits.ts';
export * from './model/change-set.ts';
export * from './model/conflict.ts';
export * from './model/drill-order.ts';
export * from './model/predicate.ts';
export * from './model/progress.ts';
export type * from './model/settlement.ts';
export * from './outbound/finish.ts';
export * from './outbound/peer-link.ts';
export * from './outbound/relay.ts';
export * from './outbound/relay-queue.ts';
export * from './outbound/replicator.ts';
export * from './outbound/sweep.ts';
export type * from './ports/archive.ts';
export type * from './ports/change-publisher.ts';
export type * from './ports/change-receiver.ts';
export type * from './ports/clock.ts';
export type * from './ports/conflict-journal.ts';
export type * from './ports/drill-client.ts';
export type * from './ports/drill-switch.ts';
export type * from './ports/lease.ts';
export type * from './ports/outbox.ts';
export * from './ports/queue-viewer.ts';
export type * from './ports/randomness.ts';
export type * from './ports/recovery-region.ts';
export type * from './ports/region-hold.ts';
export type * from './ports/replica.ts';
export type * from './ports/replication-status.ts';
export type * from './ports/table-store.ts';
export * from './readiness/catch-up.ts';
export * from './readiness/decide-readiness.ts';
export * from './recovery/copy-archive.ts';
export * from './recovery/difference.ts';
export * from './recovery/erase-entity.ts';
export * from './recovery/fill-region.ts';
export * from './recovery/hold-leases.ts';
export * from './recovery/list-at-risk.ts';
export * from './recovery/merge-states-into.ts';
export * from './recovery/plan-replay.ts';
export * from './recovery/repair-regions.ts';
export type { ReplaySpan } from './recovery/replay.ts';
export * from './recovery/replay.ts';
export * from './recovery/settle-dead-letters.ts';
export * from './recovery/survey-risk.ts';
export * from './recovery/verify-regions.ts';
export * from './region-status/read-region-status.ts';
export * from './retry/retry.ts';
export * from './state/entity-state.ts';
export * from './state/merge.ts';
export * from './state/possible-state.ts';
export * from './state/version-vector.ts';
export * from './state/write-entity.ts';
export * from './time/hybrid-clock.ts';
export { readInstantMs } from './time/instant.ts';
export * from './time/stamp.ts';
export * from './values/canonical-value.ts';
export * from './values/encode-field-value.ts';
export * from './values/field-value.ts';
export {
  partOfConnectionString,
  readPastedText,
  SERVICE_BUS_PARTS,
  STORAGE_PARTS,
  tidyConnectionString,
  unwrapPastedText,
} from './values/pasted-text.ts';
export {
  ALLOWED_HOSTS_PATTERN,
  createRequestJudge,
  type JudgeRequest,
  readAllowedHosts,
} from './web/judge-request.ts';
export * from './wire/change-set-bytes.ts';
export * from './wire/encode-conflict.ts';
export * from './wire/message-body.ts';
export * from './wire/versions.ts';
export * from './wire/watermark.ts';
