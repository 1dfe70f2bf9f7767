import {
  believedPeers,
  CLAIM_AHEAD_MS_MAX,
  type FieldValue,
  type Heartbeat,
  isBelievable,
  joinNotices,
  NOTICE_KINDS,
  type Notice,
  newestMs,
  type PeerProgress,
  type ReplicationProgress,
  type ReplicationStatus,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { textOf } from '../rows/entity-row.ts';

export const REPLICATION_TABLE = 'Replication';

const PARTITION = 'status';
const ROW = 'heartbeat';
const ATTEMPTS_MAX = 5;

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
        soundMs: Type.Optional(Type.Number()),
        isReachable: Type.Boolean(),
      }),
    ),
    notices: Type.Optional(Type.Array(Type.Unknown())),
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

/** One row of the table `Replication`, written by the replicators and read by the customer API. */
export function createTableReplicationStatus(options: {
  readonly store: TableStore;
}): ReplicationStatus {
  const { store } = options;

  const readRow = async (): Promise<
    { progress: ReplicationProgress | undefined; etag: string } | undefined
  > => {
    const row = await store.get(REPLICATION_TABLE, PARTITION, ROW);
    if (row === undefined) return undefined;
    return { progress: decode(textOf(row.properties, 'progress')), etag: row.etag };
  };

  return {
    read: async () => (await readRow())?.progress,
    async beat(heartbeat) {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
        const stored = await readRow();
        const properties = encode(combine(stored?.progress, heartbeat));
        const outcome = await store.commit({
          table: REPLICATION_TABLE,
          partitionKey: PARTITION,
          operations: [
            stored === undefined
              ? { kind: 'insert', rowKey: ROW, properties }
              : { kind: 'replace', rowKey: ROW, properties, etag: stored.etag },
          ],
        });
        if (outcome.kind === 'committed') return;
      }
      throw new TransientError('WRITE_CONTENDED', 'The heartbeat row is contended.');
    },
  };
}

/**
 * Of several replicators each sees some of the watermarks, so the newest of each peer is kept, unless it is
 * of a time that the writer's clock does not believe: a row that a wrong clock has written ends with the
 * next beat (I16).
 */
function combine(stored: ReplicationProgress | undefined, beat: Heartbeat): ReplicationProgress {
  const clock = { nowMs: beat.nowMs, driftMsMax: beat.driftMsMax ?? CLAIM_AHEAD_MS_MAX };
  const known = believedPeers(stored, clock);
  const peers = beat.peers.map((own): PeerProgress => {
    const before = known.find(({ peer }) => peer === own.peer);
    const appliedMs = newestMs(before?.appliedMs, own.appliedMs);
    const soundMs = newestMs(before?.soundMs, own.soundMs);
    return {
      ...own,
      passedMs: newestMs(before?.passedMs, own.passedMs),
      ...(appliedMs === undefined ? {} : { appliedMs }),
      ...(soundMs === undefined ? {} : { soundMs }),
    };
  });
  const spokeMs = stored?.heartbeatMs ?? 0;
  return {
    heartbeatMs: isBelievable(spokeMs, clock) ? Math.max(beat.nowMs, spokeMs) : beat.nowMs,
    catchingUpSinceMs: beat.catchingUpSinceMs,
    hasBacklog: beat.hasBacklog,
    peers,
    notices: joinNotices([stored?.notices ?? [], beat.notices ?? []], beat.nowMs),
  };
}

function encode(progress: ReplicationProgress): ReadonlyMap<string, FieldValue> {
  return new Map([['progress', { type: 'String', value: JSON.stringify(progress) }]]);
}

/** Undefined for a row that nobody can read, which counts as none: the next beat replaces it. */
function decode(text: string | undefined): ReplicationProgress | undefined {
  const json = parseJson(text ?? 'null');
  if (!checkProgress.Check(json)) return undefined;
  return {
    ...json,
    catchingUpSinceMs: json.catchingUpSinceMs,
    peers: json.peers.map((peer) => ({ ...peer, passedMs: peer.passedMs })),
    notices: (json.notices ?? []).filter((one): one is Notice => checkNotice.Check(one)),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
