import {
  CONFLICTS_COUNTED_MAX,
  type DirectionStatus,
  type RegionStatus,
  type UnreadyReason,
} from '@tandem/core';
import { type ApiSight, isReady, type RegionSight } from '../regions/look-at-regions.ts';
import { type Cell, textTable, timeText } from './text-table.ts';

const UNKNOWN = 'not known';
const MS_PER_S = 1_000;

const API_TEXTS: Readonly<Record<ApiSight, string>> = {
  ready: 'says that it is ready',
  unready: 'says that it is NOT ready',
  silent: 'does NOT answer',
  unknown: UNKNOWN,
};

export function describeStatus(sights: readonly RegionSight[]): string {
  const regions = textTable(
    [
      'region',
      'ready',
      'API',
      'waiting',
      'dead letters',
      'conflicts',
      'clock',
      'customers proven equal as of',
      'archive from',
    ],
    // What answered comes first.
    [
      ...sights.flatMap((sight) => (sight.kind === 'seen' ? [regionRow(sight)] : [])),
      ...sights.flatMap((sight) => (sight.kind === 'unseen' ? [unseenRow(sight)] : [])),
    ],
  );
  const directions = textTable(
    ['from', 'to', 'lag', 'owed', 'oldest owed', 'peer accepts'],
    sights.flatMap((sight) => (sight.kind === 'seen' ? directionRows(sight.status, sights) : [])),
  );
  const notices = sights.flatMap((sight) =>
    sight.kind === 'seen'
      ? sight.status.notices.map(({ kind, subject, detail, count }) => [
          sight.status.region,
          kind,
          subject,
          detail,
          String(count),
        ])
      : [],
  );
  if (notices.length === 0) return `${regions}\n${directions}`;
  const table = textTable(['region', 'noticed', 'what', 'why', 'times'], notices);
  return `${regions}\n${directions}\n${table}\ntandem doctor says what helps.`;
}

export function toStatusJson(sight: RegionSight): object {
  if (sight.kind === 'unseen') {
    const { region, error } = sight;
    const { code, message } = error;
    return { region, ready: false, reasons: [{ kind: 'not-seen', code, message }] };
  }
  const { status, api } = sight;
  const { readiness, outbox, queue } = status;
  return {
    region: status.region,
    ready: isReady(sight),
    api: api === 'unknown' ? null : api,
    reasons: [
      ...(readiness.kind === 'ready' ? [] : readiness.reasons),
      ...(api === 'silent' || api === 'unready' ? [{ kind: `api-${api}` }] : []),
    ],
    notes: readiness.kind === 'ready' ? readiness.notes : [],
    directions: status.directions.map((one) => ({
      peer: one.peer,
      lagMs: one.lagMs ?? null,
      owedChanges: one.owedChanges,
      owedAgeMs: one.owedAgeMs ?? null,
      owedUndated: one.owedUndated,
      peerAccepts: one.isReachable ?? null,
    })),
    owedToAll: outbox.owedToAll,
    owedIsAtLeast: !outbox.isComplete,
    inbound: queue ?? null,
    conflicts: status.conflicts,
    clockOffsetMs: status.clockOffsetMs ?? null,
    provenEqualAsOfMs: status.provenEqualMs ?? null,
    archiveFromMs: status.archiveFromMs ?? null,
    conflictsFromMs: status.conflictsFromMs ?? null,
    notices: status.notices,
  };
}

function regionRow(sight: Extract<RegionSight, { kind: 'seen' }>): Cell[] {
  const { status, api } = sight;
  const { region, readiness, queue, conflicts, clockOffsetMs, provenEqualMs, archiveFromMs } =
    status;
  const { conflictsFromMs } = status;
  const counts = queue !== undefined && 'waiting' in queue ? queue : undefined;
  const unknown = queue !== undefined && 'error' in queue ? queue.error : UNKNOWN;
  return [
    region,
    readiness.kind === 'ready'
      ? [isReady(sight) ? 'yes' : 'NO', ...readiness.notes]
      : ['NO', ...readiness.reasons.map(describeReason)],
    API_TEXTS[api],
    counts === undefined ? unknown : String(counts.waiting),
    counts === undefined ? unknown : String(counts.deadLettered),
    [
      conflicts >= CONFLICTS_COUNTED_MAX ? `${conflicts} or more` : String(conflicts),
      ...(conflictsFromMs === undefined ? [] : [`from ${timeText(conflictsFromMs)}`]),
    ],
    clockOffsetMs === undefined ? UNKNOWN : signedSeconds(clockOffsetMs),
    provenEqualMs === undefined ? 'never' : timeText(provenEqualMs),
    archiveFromMs === undefined ? 'its beginning' : timeText(archiveFromMs),
  ];
}

function unseenRow({ region, error }: Extract<RegionSight, { kind: 'unseen' }>): Cell[] {
  return [
    region,
    ['NO', error.code, error.message],
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
  ];
}

/**
 * Describes a link: what goes out of a region is owed by it, and how late it is, its peer knows.
 */
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
      oldestOwedText(direction, status, secondsText),
      describeReach(direction),
    ];
  });
}

/**
 * Writes how old the oldest is that a region owes. What cannot be dated says so, for an age in its place would be that
 * of the epoch, and where counting did not go to the end an older one may lie behind.
 */
export function oldestOwedText(
  { owedAgeMs, owedUndated }: DirectionStatus,
  { outbox: { isComplete } }: Pick<RegionStatus, 'outbox'>,
  ageText: (ms: number) => string,
): string {
  const atLeast = isComplete ? '' : 'at least ';
  const undated = owedUndated === 0 ? [] : [`${owedUndated} not dated`];
  const dated = owedAgeMs === undefined ? [] : [`${atLeast}${ageText(owedAgeMs)}`];
  return [...dated, ...undated].join(', ') || (isComplete ? 'none' : UNKNOWN);
}

function describeReach({ isReachable }: DirectionStatus): string {
  if (isReachable === undefined) return UNKNOWN;
  return isReachable ? 'yes' : 'NO';
}

export function describeReason(reason: UnreadyReason): string {
  switch (reason.kind) {
    case 'store-not-answering':
      return 'its table does not answer';
    case 'replicator-not-heard':
      if (reason.aheadMs !== undefined) {
        return `its replicator's clock is ${secondsText(reason.aheadMs)} ahead of this one`;
      }
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
