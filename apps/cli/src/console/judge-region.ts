/** One verdict a region, in words: what an operator who has just been woken reads first. */
import { CONFLICTS_COUNTED_MAX, type RegionStatus } from '@tandem/core';
import { type ApiSight, isReady } from '../regions/look-at-regions.ts';
import { describeReason } from '../report/describe-status.ts';

// What is known of one region, each figure with its age.

/** A figure, and when it was read. */
export interface Dated<T> {
  readonly value: T;
  readonly atMs: number;
}

/** Why the last look failed. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** What a region would take with it if it vanished. */
export interface RiskFigure {
  readonly lost: number;
  readonly delayed: number;
  /** Counts by peer the acknowledged writes that the peer does not have, as far as anybody can tell. */
  readonly missing: Readonly<Record<string, number>>;
  /** Rows of its outbox that nobody can read: what they hold would be lost too. */
  readonly unreadable: number;
  /** Peers that could not be asked, and may have more than is said. */
  readonly outOfReach: readonly string[];
}

/** What a replicator says of itself. */
interface Build {
  readonly version: string;
  /** The newest messages that it reads. */
  readonly wireVersionMax: number;
}

export interface RegionView {
  readonly name: string;
  /** The last that its tables told. */
  readonly status: Dated<RegionStatus> | undefined;
  readonly api: Dated<ApiSight> | undefined;
  /** Since when, and why, it tells nothing; undefined while it does. */
  readonly unseen: Dated<Problem> | undefined;
  readonly risk: Dated<RiskFigure> | undefined;
  /** Why what is at risk cannot be told now. */
  readonly riskUnknown: Dated<Problem> | undefined;
  /** What its replicator was when it last said so. */
  readonly build: Dated<Build> | undefined;
  /** Which messages the region writes. */
  readonly wireVersion: Dated<number> | undefined;
}

/** Each has a word and a sign of its own, so that none is told by its colour alone. */
export type Level = 'good' | 'attention' | 'bad' | 'unknown';

export const LEVELS: Readonly<Record<Level, { readonly sign: string; readonly word: string }>> = {
  good: { sign: '✓', word: 'Ready' },
  attention: { sign: '!', word: 'Look here' },
  bad: { sign: '✕', word: 'Out' },
  unknown: { sign: '?', word: 'Not known' },
};

export interface Verdict {
  readonly level: Level;
  /** Is one sentence. */
  readonly headline: string;
  /** Say why, a sentence each. */
  readonly reasons: readonly string[];
}

export function judgeRegion(view: RegionView): Verdict {
  const { name, status, api, unseen } = view;
  if (unseen !== undefined) {
    return {
      level: 'bad',
      headline: `Nothing is heard of ${name}.`,
      reasons: [unseen.value.message],
    };
  }
  if (status === undefined || api === undefined) {
    return { level: 'unknown', headline: `${name} is being asked.`, reasons: [] };
  }
  const { readiness } = status.value;
  const sight = { kind: 'seen', status: status.value, api: api.value } as const;
  const apiReasons =
    api.value === 'silent'
      ? ['Its API does not answer.']
      : api.value === 'unready'
        ? ['Its API says that it is not ready.']
        : [];
  if (!isReady(sight)) {
    const own = readiness.kind === 'ready' ? [] : readiness.reasons.map(describeReason);
    return {
      level: 'bad',
      headline: `${name} takes no traffic.`,
      reasons: [...own.map(toSentence), ...apiReasons],
    };
  }
  const notes = [...notesOf(view)];
  return {
    level: notes.length === 0 ? 'good' : 'attention',
    headline: `${name} takes traffic.`,
    reasons: notes,
  };
}

/** Returns what does not keep a region from its work and still wants a look. */
function* notesOf({ status, risk }: RegionView): Iterable<string> {
  const seen = status?.value;
  if (seen === undefined) return;
  if (seen.readiness.kind === 'ready') yield* seen.readiness.notes.map(toSentence);
  if (seen.queue !== undefined && 'error' in seen.queue) {
    yield `Its queue does not answer: ${seen.queue.error}.`;
  }
  if (seen.queue !== undefined && 'deadLettered' in seen.queue && seen.queue.deadLettered > 0) {
    yield `${countText(seen.queue.deadLettered, 'message')} could not be applied: dead letters.`;
  }
  for (const { peer, isReachable } of seen.directions) {
    if (isReachable === false) yield `${peer} does not accept what it sends.`;
  }
  if ((risk?.value.unreadable ?? 0) > 0) {
    yield `${countText(risk?.value.unreadable ?? 0, 'row')} of its outbox cannot be read.`;
  }
  for (const notice of seen.notices) yield `Noticed: ${notice.kind}, ${notice.subject}.`;
}

export function countText(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** Returns a count that stops at a bound as what it is. */
export function conflictsText(count: number): string {
  return count >= CONFLICTS_COUNTED_MAX ? `${count.toLocaleString('en')} or more` : String(count);
}

/** The name of a region, where a text begins with one, stays as it is. */
function toSentence(text: string): string {
  const first = /^[a-z0-9]+:/.test(text) ? text.slice(0, 1) : text.slice(0, 1).toUpperCase();
  return `${first}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** Says the state of all of them in one sentence. */
export function judgeAll(views: readonly RegionView[]): Verdict {
  const verdicts = views.map((view) => ({ name: view.name, ...judgeRegion(view) }));
  const out = verdicts.filter(({ level }) => level === 'bad').map(({ name }) => name);
  const lost = views.reduce((sum, { risk }) => sum + (risk?.value.lost ?? 0), 0);
  const reasons =
    lost === 0
      ? []
      : [`${countText(lost, 'acknowledged write')} would be lost if its region vanished now.`];
  if (out.length === views.length) {
    return { level: 'bad', headline: 'No region takes traffic.', reasons };
  }
  if (out.length > 0) {
    return {
      level: 'bad',
      headline: `${listText(out)} ${out.length === 1 ? 'takes' : 'take'} no traffic; ${countText(views.length - out.length, 'region')} left.`,
      reasons,
    };
  }
  if (verdicts.some(({ level }) => level === 'unknown')) {
    return { level: 'unknown', headline: 'The regions are being asked.', reasons };
  }
  if (verdicts.some(({ level }) => level === 'attention')) {
    return {
      level: 'attention',
      headline: 'Every region takes traffic; some things want a look.',
      reasons,
    };
  }
  return { level: 'good', headline: 'Every region takes traffic.', reasons };
}

function listText(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
