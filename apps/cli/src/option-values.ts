import { readInstantMs } from '@tandem/core';
import { type Command, InvalidArgumentError } from 'commander';

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads `500ms`, `30s`, `5m` and `1h` as milliseconds; as many as anybody writes by default. */
export function duration(
  minMs: number,
  maxMs = Number.POSITIVE_INFINITY,
): (text: string) => number {
  return (text) => {
    const [, count = '', unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
    const valueMs = Number(count) * (UNITS[unit] ?? Number.NaN);
    if (valueMs >= minMs && valueMs <= maxMs) return valueMs;
    const most = Number.isFinite(maxMs) ? ` and at most ${durationText(maxMs)}` : '';
    throw new InvalidArgumentError(
      `It must be a duration of at least ${minMs} ms${most}: 30s, 5m, 1h.`,
    );
  };
}

/** Writes milliseconds as `duration` reads them, in the largest unit that is whole. */
export function durationText(valueMs: number): string {
  const [unit = 'ms', unitMs = 1] =
    Object.entries(UNITS).findLast(([, ms]) => valueMs % ms === 0) ?? [];
  return `${valueMs / unitMs}${unit}`;
}

/** What a point in time may leave out, in UTC: the time of the day, or the seconds. */
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const WITHOUT_SECONDS = /^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2})([Zz]|[+-]\d{2}:\d{2})$/;
const EPOCH_MS = /^\d{12,14}$/;

/** Reads `2026-11-22`, `2026-11-22T10:00:00Z` or milliseconds since the epoch as milliseconds. */
export function pointInTime(text: string): number {
  const valueMs = EPOCH_MS.test(text)
    ? Number(text)
    : readInstantMs(
        DATE.test(text) ? `${text}T00:00:00Z` : text.replace(WITHOUT_SECONDS, '$1:00$2'),
      );
  if (valueMs !== undefined) return valueMs;
  throw new InvalidArgumentError(
    'It must be a time that there is, with a zone: 2026-11-22T10:00:00Z.',
  );
}

/** How long a difference is given to vanish: a write under way looks like one. */
export interface RecheckOptions {
  readonly rechecks: number;
  readonly recheckEvery: number;
}

const RECHECKS_DEFAULT = 5;
const RECHECK_EVERY_MS_DEFAULT = 1_000;

/** Adds the options of `RecheckOptions` to a command. */
export function withRechecks(command: Command): Command {
  return command
    .option(
      '--rechecks <n>',
      'how often what differs is read again',
      wholeNumber(0, 1_000),
      RECHECKS_DEFAULT,
    )
    .option(
      '--recheck-every <duration>',
      'and how long after',
      duration(1),
      RECHECK_EVERY_MS_DEFAULT,
    );
}
