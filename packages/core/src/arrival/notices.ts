import { NOTICE_KINDS, type Notice, type NoticeKind } from '../model/progress.ts';
import type { Clock } from '../ports/clock.ts';

/** Keeps what is noticed in one process, or, in the region's own table, in all of them. */
export interface Notices {
  /** Keeps one notice of one subject, however often it is met. */
  note(kind: NoticeKind, subject: string, detail: string): void;
  /** Returns those that were met lately, the newest first. */
  current(): readonly Notice[];
  /** Counts how often this kind was met since this process began. */
  count(kind: NoticeKind): number;
}

export interface NoticesOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Called when something is noticed that was not known: once, not each time that it is met. */
  readonly onNew?: (notice: Notice) => void;
}

/** What was not met for so long is over: all of it is met again every few seconds while it lasts. */
const NOTICE_AGE_MS = 120_000;
/** The rows of the entities are all read every hour. */
const ROW_NOTICE_AGE_MS = 2 * 3_600_000;
/** Bounds what is kept of each kind; beyond it they are only counted. */
const NOTICES_PER_KIND_MAX = 20;
const SUBJECT_LENGTH_MAX = 160;
const DETAIL_LENGTH_MAX = 200;

export function createNotices(options: NoticesOptions): Notices {
  const { clock, onNew } = options;
  const counts = new Map<NoticeKind, number>();
  let known: readonly Notice[] = [];
  const refresh = (): void => {
    known = known.filter((one) => isCurrent(one, clock.nowMs()));
  };
  return {
    note(kind, subject, detail) {
      refresh();
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      const nowMs = clock.nowMs();
      const named = subject.slice(0, SUBJECT_LENGTH_MAX);
      const before = known.find((one) => one.kind === kind && one.subject === named);
      if (before !== undefined) {
        const again = { ...before, count: before.count + 1, lastMs: nowMs };
        known = [again, ...known.filter((one) => one !== before)];
        return;
      }
      if (known.filter((one) => one.kind === kind).length >= NOTICES_PER_KIND_MAX) return;
      const cut = detail.slice(0, DETAIL_LENGTH_MAX);
      const notice = { kind, subject: named, detail: cut, count: 1, sinceMs: nowMs, lastMs: nowMs };
      known = [notice, ...known];
      onNew?.(notice);
    },
    current() {
      refresh();
      return known;
    },
    count: (kind) => counts.get(kind) ?? 0,
  };
}

/** Says whether a notice still counts, by a clock that may have been set since. */
function isCurrent({ kind, lastMs }: Notice, nowMs: number): boolean {
  const ageMsMax = kind === 'row-foreign' ? ROW_NOTICE_AGE_MS : NOTICE_AGE_MS;
  return Math.abs(nowMs - lastMs) <= ageMsMax;
}

/** Joins what several processes of a region have noticed: of one subject the newest word counts. */
export function joinNotices(
  lists: readonly (readonly Notice[])[],
  nowMs: number,
): readonly Notice[] {
  const newest = new Map<string, Notice>();
  for (const one of lists.flat()) {
    if (!isCurrent(one, nowMs)) continue;
    const key = `${one.kind}/${one.subject}`;
    if ((newest.get(key)?.lastMs ?? 0) <= one.lastMs) newest.set(key, one);
  }
  return NOTICE_KINDS.flatMap((kind) =>
    [...newest.values()]
      .filter((one) => one.kind === kind)
      .toSorted((a, b) => b.lastMs - a.lastMs)
      .slice(0, NOTICES_PER_KIND_MAX),
  );
}
