import type { Io } from '../io.ts';

/**
 * How far long work is, on a terminal, and for whoever runs the command within itself: nothing is written to pipes and
 * files.
 */
export interface Progress {
  /** With a total there is a bar, and the time that is left. */
  update(label: string, done: number, total?: number): void;
  end(): void;
}

const SHOW_EVERY_MS = 200;
const BAR_LENGTH = 24;
const CLEAR_LINE = '\r\u001B[K';

export function createProgress({
  err,
  isTerminal,
  clock,
  onProgress,
}: Pick<Io, 'err' | 'isTerminal' | 'clock' | 'onProgress'>): Progress {
  if (!isTerminal && onProgress === undefined)
    return { update: () => undefined, end: () => undefined };
  let current: { readonly label: string; readonly startedMs: number } | undefined;
  let shownMs = 0;
  return {
    update(label, done, total) {
      const nowMs = clock.nowMs();
      if (current?.label !== label) {
        current = { label, startedMs: nowMs };
        shownMs = 0;
      }
      if (nowMs - shownMs < SHOW_EVERY_MS) return;
      shownMs = nowMs;
      const passedMs = nowMs - current.startedMs;
      const text = describeProgress(label, { done, total, passedMs });
      if (isTerminal) err(`${CLEAR_LINE}${text}`);
      onProgress?.(text);
    },
    end() {
      if (current !== undefined && isTerminal) err(CLEAR_LINE);
      current = undefined;
    },
  };
}

export function describeProgress(
  label: string,
  { done, total, passedMs }: { done: number; total: number | undefined; passedMs: number },
): string {
  const rate = passedMs > 0 ? (done * 1_000) / passedMs : 0;
  const head = `${label} ${done.toLocaleString('en')}`;
  const speed = `${Math.round(rate).toLocaleString('en')}/s`;
  if (total === undefined || total === 0) return `${head} · ${speed}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * BAR_LENGTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_LENGTH - filled);
  const left = rate > 0 ? describeSeconds((total - done) / rate) : '?';
  return `${head}/${total.toLocaleString('en')} ${bar} ${speed} · ${left} left`;
}

function describeSeconds(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const pad = (value: number): string => String(value).padStart(2, '0');
  return `${pad(Math.floor(whole / 60))}:${pad(whole % 60)}`;
}
