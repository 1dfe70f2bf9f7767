import { type Clock, REFUSAL_REASONS } from '@tandem/core';
import { type Meter, measureNotices } from '@tandem/telemetry';
import type { ReplicatorProcess } from './replicator-process.ts';
import type { ReplicatorStatus, ReplicatorView } from './replicator-status.ts';

type Value = number | boolean | null;
/** One series: its value, and the attributes that tell it from the others of its name. */
type Series = readonly [value: Value, attributes?: Readonly<Record<string, string>>];

interface Metric {
  readonly name: string;
  /** In UCUM, as OpenTelemetry asks. */
  readonly unit: string;
  readonly description: string;
  readonly isCounter?: true;
  readonly read: (status: ReplicatorStatus, sinceStartMs: number) => readonly Series[];
}

const TRIMMED_TABLES = ['Archive', 'Conflicts'] as const;
const MS_PER_S = 1_000;
const seconds = (ms: number | null): number | null => (ms === null ? null : ms / MS_PER_S);

const ofPeers =
  (
    read: (peer: ReplicatorStatus['peers'][number], sinceStartMs: number) => Value,
  ): Metric['read'] =>
  ({ peers }, sinceStartMs) =>
    peers.map((peer) => [read(peer, sinceStartMs), { 'tandem.peer': peer.peer }]);

const METRICS: readonly Metric[] = [
  {
    name: 'tandem.replication.lag',
    unit: 's',
    description: 'Age of the newest watermark passed from the peer; since the start when none was.',
    read: ofPeers(({ lagMs }, sinceStartMs) => seconds(lagMs ?? sinceStartMs)),
  },
  {
    name: 'tandem.outbox.age',
    unit: 's',
    description: 'From how long ago on something may still be owed to the peer.',
    read: ofPeers(({ outboxAgeMs }) => seconds(outboxAgeMs)),
  },
  {
    name: 'tandem.peer.reachable',
    unit: '1',
    description: 'Whether the queue of the peer accepted the last that was sent.',
    read: ofPeers(({ reachable }) => reachable),
  },
  {
    name: 'tandem.queue.reachable',
    unit: '1',
    description: "Whether this region's own queue answered last.",
    read: ({ queue }) => [[queue.reachable]],
  },
  {
    name: 'tandem.queue.oldest_message.age',
    unit: 's',
    description: "How long the oldest message has waited in this region's queue; 0 when none does.",
    read: ({ queue }) => [
      [queue.reachable === true ? seconds(queue.oldestMessageAgeMs ?? 0) : null],
    ],
  },
  {
    name: 'tandem.queue.dead_letters',
    unit: '{message}',
    description: 'Dead letters that wait for an operator.',
    read: ({ queue }) => [[queue.deadLetterCount]],
  },
  {
    name: 'tandem.catching_up',
    unit: '1',
    description: 'Whether the region catches up, and so takes no traffic.',
    read: ({ phase, catchingUpSinceMs }) => [[phase !== 'running' || catchingUpSinceMs !== null]],
  },
  {
    name: 'tandem.conflicts',
    unit: '{conflict}',
    description: 'Conflicts recorded since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.conflicts]],
  },
  {
    name: 'tandem.change_sets.swept',
    unit: '{change_set}',
    description: 'Change sets that the sweep relayed, since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.relayed]],
  },
  {
    name: 'tandem.messages.received',
    unit: '{message}',
    description: 'Messages received since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.received]],
  },
  {
    name: 'tandem.messages.dead_lettered',
    unit: '{message}',
    description: 'Messages dead-lettered since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.deadLettered]],
  },
  {
    name: 'tandem.messages.refused',
    unit: '{message}',
    description:
      'Messages dead-lettered since the start, by the reason for which they were refused.',
    isCounter: true,
    // The reasons that have not been seen yet too: an increase from nothing is none.
    read: ({ sinceStart }) =>
      REFUSAL_REASONS.map((reason) => [
        sinceStart.refused[reason] ?? 0,
        { 'tandem.reason': reason },
      ]),
  },
  {
    name: 'tandem.rows.trimmed',
    unit: '{row}',
    description:
      'Rows that were older than is kept and were taken away, since the start, by table.',
    isCounter: true,
    read: ({ sinceStart }) =>
      TRIMMED_TABLES.map((table) => [sinceStart.trimmed[table] ?? 0, { 'tandem.table': table }]),
  },
  {
    name: 'tandem.rows.purged',
    unit: '{row}',
    description: 'Rows of deleted tables that were taken away for good, since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.purged]],
  },
  {
    name: 'tandem.rows.copied',
    unit: '{row}',
    description: 'Rows of old tables that were copied here, since the start.',
    isCounter: true,
    read: ({ sinceStart }) => [[sinceStart.copied]],
  },
  {
    name: 'tandem.copy.left',
    unit: 's',
    description:
      'How long the copy of an old table goes on at its pace, where its rows were counted.',
    read: ({ copies }) =>
      copies.map(({ table, leftMs }) => [seconds(leftMs), { 'tandem.table': table }]),
  },
  {
    name: 'tandem.mirror.lag',
    unit: 's',
    description:
      'For how long, at most, a write that is here is not in the mirror of its table yet.',
    read: ({ mirrors }) =>
      mirrors.map(({ table, lagMs }) => [seconds(lagMs), { 'tandem.table': table }]),
  },
  {
    name: 'tandem.loop.failures',
    unit: '{failure}',
    description: 'Turns of a loop that failed, since the start.',
    isCounter: true,
    read: ({ loops }) =>
      loops.map(({ name, failureCount }) => [failureCount, { 'tandem.loop': name }]),
  },
];

/** Measures what `/status` says, whenever someone asks: nothing is counted a second time. */
export function measureReplicator(
  meter: Meter,
  view: Pick<ReplicatorProcess, 'status' | 'notices'>,
  clock: Pick<Clock, 'nowMs'>,
): void {
  measureNotices(meter, () => view.notices());
  measureReplication(meter, view, clock);
}

/** Measures the same but for what was noticed, for a process that has noticed more than that. */
export function measureReplication(
  meter: Meter,
  view: Pick<ReplicatorView, 'status'>,
  clock: Pick<Clock, 'nowMs'>,
): void {
  const startedMs = clock.nowMs();
  for (const { name, unit, description, isCounter, read } of METRICS) {
    const options = { unit, description };
    const instrument =
      isCounter === true
        ? meter.createObservableCounter(name, options)
        : meter.createObservableGauge(name, options);
    instrument.addCallback((result) => {
      // What is not known is left out, rather than shown as a figure that flatters (I11).
      for (const [value, attributes] of read(
        view.status(),
        Math.max(0, clock.nowMs() - startedMs),
      )) {
        if (value !== null) result.observe(Number(value), attributes);
      }
    });
  }
}
