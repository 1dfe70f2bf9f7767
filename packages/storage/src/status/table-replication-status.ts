import {
  believedPeers,
  CLAIM_AHEAD_MS_MAX,
  type Heartbeat,
  isBelievable,
  joinNotices,
  NOTICE_KINDS,
  type Notice,
  newestMs,
  newestReads,
  type PeerProgress,
  type ReplicationProgress,
  type ReplicationStatus,
  type TableStore,
  untilUncontended,
} from '@tandem/core';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { createStatusRow, jsonColumn } from './status-row.ts';

const CONTENTION = { attemptsMax: 5 };

const checkProgress = Compile(
  Type.Object({
    heartbeatMs: Type.Number(),
    catchingUpSinceMs: Type.Optional(Type.Number()),
    hasBacklog: Type.Boolean(),
    peers: Type.Array(
      Type.Object({
        peer: Type.String(),
        passedMs: Type.Optional(Type.Number()),
        appliedMs: Type.Optional(Type.Number()),
        allAppliedMs: Type.Optional(Type.Number()),
        soundMs: Type.Optional(Type.Number()),
        reads: Type.Optional(
          Type.Object({
            heardMs: Type.Number(),
            wireVersion: Type.Optional(Type.Integer({ minimum: 1 })),
          }),
        ),
        appliedSets: Type.Optional(Type.Number()),
        isReachable: Type.Boolean(),
      }),
    ),
    notices: Type.Optional(Type.Array(Type.Unknown())),
    readsWireVersion: Type.Optional(Type.Integer({ minimum: 1 })),
    overriddenSettings: Type.Optional(Type.Array(Type.String())),
  }),
);

const checkNotice = Compile(
  Type.Object({
    kind: Type.Enum([...NOTICE_KINDS]),
    subject: Type.String(),
    detail: Type.String(),
    count: Type.Number(),
    sinceMs: Type.Number(),
    lastMs: Type.Number(),
  }),
);

/** Keeps one row of the table `Replication`, written by the replicators and read by the customer API. */
export function createTableReplicationStatus(options: {
  readonly store: TableStore;
}): ReplicationStatus {
  const { store } = options;
  const columns = { progress: jsonColumn(progressOf) };
  const row = createStatusRow({ store, rowKey: 'heartbeat', columns });

  return {
    async read() {
      const seen = await row.look();
      return seen.kind === 'value' ? seen.value.progress : undefined;
    },
    async beat(heartbeat) {
      await untilUncontended(async () => {
        const seen = await row.look();
        const stored = seen.kind === 'value' ? seen.value.progress : undefined;
        const isWritten = await row.write({ progress: combine(stored, heartbeat) }, seen);
        return isWritten || { contended: 'The heartbeat row' };
      }, CONTENTION);
    },
  };
}

/**
 * Keeps the newest watermark of each peer, for each of several replicators sees some of them, unless it is of a
 * time that the writer's clock does not believe: a row that a wrong clock has written ends with the next beat
 * (I16). What each of them applied is added up.
 */
function combine(stored: ReplicationProgress | undefined, beat: Heartbeat): ReplicationProgress {
  const clock = { nowMs: beat.nowMs, driftMsMax: beat.driftMsMax ?? CLAIM_AHEAD_MS_MAX };
  const known = believedPeers(stored, clock);
  const peers = beat.peers.map((own): PeerProgress => {
    const before = known.find(({ peer }) => peer === own.peer);
    const appliedMs = newestMs(before?.appliedMs, own.appliedMs);
    const allAppliedMs = newestMs(before?.allAppliedMs, own.allAppliedMs);
    const soundMs = newestMs(before?.soundMs, own.soundMs);
    const reads = newestReads(before?.reads, own.reads);
    const appliedSets = (before?.appliedSets ?? 0) + (beat.appliedSets?.get(own.peer) ?? 0);
    return {
      ...own,
      passedMs: newestMs(before?.passedMs, own.passedMs),
      ...(appliedMs === undefined ? {} : { appliedMs }),
      ...(allAppliedMs === undefined ? {} : { allAppliedMs }),
      ...(soundMs === undefined ? {} : { soundMs }),
      ...(reads === undefined ? {} : { reads }),
      ...(beat.appliedSets === undefined && before?.appliedSets === undefined
        ? {}
        : { appliedSets }),
    };
  });
  const spokeMs = stored?.heartbeatMs ?? 0;
  return {
    heartbeatMs: isBelievable(spokeMs, clock) ? Math.max(beat.nowMs, spokeMs) : beat.nowMs,
    catchingUpSinceMs: beat.catchingUpSinceMs,
    hasBacklog: beat.hasBacklog,
    peers,
    notices: joinNotices([stored?.notices ?? [], beat.notices ?? []], beat.nowMs),
    // Never what another build has said before: it may be gone.
    ...(beat.readsWireVersion !== undefined && { readsWireVersion: beat.readsWireVersion }),
    ...(beat.overriddenSettings !== undefined && { overriddenSettings: beat.overriddenSettings }),
  };
}

/** Returns undefined for what nobody can read, which counts as none: the next beat replaces it. */
function progressOf(json: unknown): ReplicationProgress | undefined {
  if (!checkProgress.Check(json)) return undefined;
  return {
    ...json,
    catchingUpSinceMs: json.catchingUpSinceMs,
    peers: json.peers.map((peer) => ({ ...peer, passedMs: peer.passedMs })),
    notices: (json.notices ?? []).filter((one): one is Notice => checkNotice.Check(one)),
  };
}
