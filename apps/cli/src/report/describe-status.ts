import {
  CONFLICTS_COUNTED_MAX,
  type DirectionStatus,
  type RegionStatus,
  type UnreadyReason,
} from '@tandem/core';
import type { RegionSight } from '../commands/status.ts';
import { type Cell, textTable, timeText } from './text-table.ts';

const UNKNOWN = 'not known';
const MS_PER_S = 1_000;

export function describeStatus(sights: readonly RegionSight[]): string {
  const regions = textTable(
    ['region', 'ready', 'waiting', 'dead letters', 'conflicts', 'clock', 'proven equal as of'],
    sights.map((sight) => (sight.kind === 'seen' ? regionRow(sight.status) : unseenRow(sight))),
  );
  const directions = textTable(
    ['from', 'to', 'lag', 'owed', 'oldest owed', 'peer accepts'],
    sights.flatMap((sight) => (sight.kind === 'seen' ? directionRows(sight.status, sights) : [])),
  );
  return `${regions}\n${directions}`;
}

export function toStatusJson(sight: RegionSight): object {
  if (sight.kind === 'unseen') {
    const { region, error } = sight;
    return { region, ready: false, reasons: [{ kind: 'not-seen', code: error.code }] };
  }
  const { status } = sight;
  const { readiness, outbox, queue } = status;
  return {
    region: status.region,
    ready: readiness.kind === 'ready',
    reasons: readiness.kind === 'ready' ? [] : readiness.reasons,
    notes: readiness.kind === 'ready' ? readiness.notes : [],
    directions: status.directions.map((one) => ({
      peer: one.peer,
      lagMs: one.lagMs ?? null,
      owedChanges: one.owedChanges,
      owedAgeMs: one.owedAgeMs ?? null,
      peerAccepts: one.isReachable ?? null,
    })),
    owedToAll: outbox.owedToAll,
    owedIsAtLeast: !outbox.isComplete,
    inbound: queue ?? null,
    conflicts: status.conflicts,
    clockOffsetMs: status.clockOffsetMs ?? null,
    provenEqualAsOfMs: status.provenEqualMs ?? null,
  };
}

function regionRow(status: RegionStatus): Cell[] {
  const { region, readiness, queue, conflicts, clockOffsetMs, provenEqualMs } = status;
  const counts = queue !== undefined && 'waiting' in queue ? queue : undefined;
  const unknown = queue !== undefined && 'error' in queue ? queue.error : UNKNOWN;
  return [
    region,
    readiness.kind === 'ready'
      ? ['yes', ...readiness.notes]
      : ['NO', ...readiness.reasons.map(describeReason)],
    counts === undefined ? unknown : String(counts.waiting),
    counts === undefined ? unknown : String(counts.deadLettered),
    conflicts >= CONFLICTS_COUNTED_MAX ? `${conflicts} or more` : String(conflicts),
    clockOffsetMs === undefined ? UNKNOWN : signedSeconds(clockOffsetMs),
    provenEqualMs === undefined ? 'never' : timeText(provenEqualMs),
  ];
}

function unseenRow({ region, error }: Extract<RegionSight, { kind: 'unseen' }>): Cell[] {
  return [region, ['NO', error.code], UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN];
}

/** What goes out of a region is owed by it; how late it is, its peer knows. */
function directionRows(status: RegionStatus, sights: readonly RegionSight[]): string[][] {
  return status.directions.map((direction) => {
    const to = sights.find((one) => one.kind === 'seen' && one.status.region === direction.peer);
    const heard =
      to?.kind === 'seen'
        ? to.status.directions.find(({ peer }) => peer === status.region)
        : undefined;
    return [
      status.region,
      direction.peer,
      heard?.lagMs === undefined ? UNKNOWN : secondsText(heard.lagMs),
      `${status.outbox.isComplete ? '' : 'at least '}${direction.owedChanges}`,
      direction.owedAgeMs === undefined ? 'none' : secondsText(direction.owedAgeMs),
      describeReach(direction),
    ];
  });
}

function describeReach({ isReachable }: DirectionStatus): string {
  if (isReachable === undefined) return UNKNOWN;
  return isReachable ? 'yes' : 'NO';
}

function describeReason(reason: UnreadyReason): string {
  switch (reason.kind) {
    case 'store-not-answering':
      return 'its table does not answer';
    case 'replicator-not-heard':
      return reason.ageMs === undefined
        ? 'its replicator was never heard'
        : `its replicator is silent for ${secondsText(reason.ageMs)}`;
    case 'held':
      return `held back: ${reason.why}`;
    case 'out-for-drill':
      return `out for a drill until ${timeText(reason.untilMs)}`;
    case 'behind':
      return reason.lagMs === undefined
        ? `never heard of ${reason.peer}`
        : `${secondsText(reason.lagMs)} behind ${reason.peer}`;
    default:
      return reason satisfies never;
  }
}

export function secondsText(ms: number): string {
  return `${(ms / MS_PER_S).toFixed(1)} s`;
}

function signedSeconds(ms: number): string {
  return `${ms < 0 ? '' : '+'}${secondsText(ms)}`;
}
