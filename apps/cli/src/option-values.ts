import { InvalidArgumentError } from 'commander';

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `5m`, `1h`, in milliseconds. */
export function duration(minMs: number): (text: string) => number {
  return (text) => {
    const [, count = '', unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
    const valueMs = Number(count) * (UNITS[unit] ?? Number.NaN);
    if (valueMs >= minMs) return valueMs;
    throw new InvalidArgumentError(`It must be a duration of at least ${minMs} ms: 30s, 5m, 1h.`);
  };
}

const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** `2026-11-22`, `2026-11-22T10:00:00Z` or milliseconds since the epoch; in milliseconds. */
export function pointInTime(text: string): number {
  const valueMs = /^\d{12,14}$/.test(text)
    ? Number(text)
    : ISO.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (!Number.isNaN(valueMs)) return valueMs;
  throw new InvalidArgumentError('It must be a time with a zone: 2026-11-22T10:00:00Z.');
}
