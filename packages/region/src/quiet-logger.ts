import type { Clock } from '@tandem/core';
import type { LogFields, Logger } from '@tandem/service-kit';

export interface QuietLoggerOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** A line that says the same as an earlier one is held back for this long, in milliseconds. */
  readonly windowMs: number;
  /** Bounds the lines of one event within `windowMs`, however much they differ. */
  readonly linesPerEventMax: number;
}

/** What differs from one repetition of the same trouble to the next. */
const PASSING_FIELDS = new Set(['failures', 'attempt', 'delayMs', 'retryInMs', 'aheadMs']);
const REMEMBERED_LINES_MAX = 1_000;

interface Window {
  readonly startedMs: number;
  lines: number;
  heldBack: number;
}

/**
 * Holds back what repeats, so that an outage is a few lines and not one for each retry. The next
 * line of the event that goes out says in `heldBack` how many did not.
 */
export function createQuietLogger(options: QuietLoggerOptions): Logger {
  const { logger, clock, windowMs, linesPerEventMax } = options;
  const saidMs = new Map<string, number>();
  const windows = new Map<string, Window>();

  const windowOf = (event: string): Window => {
    const nowMs = clock.nowMs();
    const current = windows.get(event);
    if (current !== undefined && nowMs - current.startedMs < windowMs) return current;
    const next = { startedMs: nowMs, lines: 0, heldBack: current?.heldBack ?? 0 };
    windows.set(event, next);
    return next;
  };

  const wasJustSaid = (line: string): boolean => {
    const nowMs = clock.nowMs();
    const lastMs = saidMs.get(line);
    if (lastMs !== undefined && nowMs - lastMs < windowMs) return true;
    saidMs.delete(line);
    saidMs.set(line, nowMs);
    const [oldest] = saidMs.keys();
    if (saidMs.size > REMEMBERED_LINES_MAX && oldest !== undefined) saidMs.delete(oldest);
    return false;
  };

  const pass = (level: keyof Logger, fields: LogFields, message: string): void => {
    const window = windowOf(fields.event);
    if (wasJustSaid(`${level} ${identityOf(fields)}`) || window.lines >= linesPerEventMax) {
      window.heldBack += 1;
      return;
    }
    window.lines += 1;
    const { heldBack } = window;
    window.heldBack = 0;
    logger[level](heldBack === 0 ? fields : { ...fields, heldBack }, message);
  };

  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => pass('info', fields, message),
    warn: (fields, message) => pass('warn', fields, message),
    error: (fields, message) => pass('error', fields, message),
  };
}

function identityOf(fields: LogFields): string {
  return JSON.stringify(fields, (name, value: unknown) => {
    if (PASSING_FIELDS.has(name)) return undefined;
    if (typeof value === 'bigint') return String(value);
    if (!(value instanceof Error)) return value;
    return 'code' in value ? [value.name, value.code] : [value.name, value.message];
  });
}
