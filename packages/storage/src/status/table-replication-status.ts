import {
  type FieldValue,
  type Heartbeat,
  type PeerProgress,
  type ReplicationProgress,
  type ReplicationStatus,
  type TableStore,
  TerminalError,
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
        isReachable: Type.Boolean(),
      }),
    ),
  }),
);

/** One row of the table `Replication`, written by the replicators and read by the customer API. */
export function createTableReplicationStatus(options: {
  readonly store: TableStore;
}): ReplicationStatus {
  const { store } = options;

  const readRow = async (): Promise<
    { progress: ReplicationProgress; etag: string } | undefined
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

/** Of several replicators each sees some of the watermarks, so the newest of each peer is kept. */
function combine(stored: ReplicationProgress | undefined, beat: Heartbeat): ReplicationProgress {
  const peers = beat.peers.map((own): PeerProgress => {
    const known = stored?.peers.find(({ peer }) => peer === own.peer);
    const passedMs = newest(known?.passedMs, own.passedMs);
    const appliedMs = newest(known?.appliedMs, own.appliedMs);
    return { ...own, passedMs, ...(appliedMs === undefined ? {} : { appliedMs }) };
  });
  return {
    heartbeatMs: Math.max(beat.nowMs, stored?.heartbeatMs ?? 0),
    catchingUpSinceMs: beat.catchingUpSinceMs,
    hasBacklog: beat.hasBacklog,
    peers,
  };
}

function newest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function encode(progress: ReplicationProgress): ReadonlyMap<string, FieldValue> {
  return new Map([['progress', { type: 'String', value: JSON.stringify(progress) }]]);
}

function decode(text: string | undefined): ReplicationProgress {
  const json: unknown = JSON.parse(text ?? 'null');
  if (!checkProgress.Check(json)) {
    throw new TerminalError('ROW_MALFORMED', 'The heartbeat row was not written by this product.');
  }
  return {
    ...json,
    catchingUpSinceMs: json.catchingUpSinceMs,
    peers: json.peers.map((peer) => ({ ...peer, passedMs: peer.passedMs })),
  };
}
