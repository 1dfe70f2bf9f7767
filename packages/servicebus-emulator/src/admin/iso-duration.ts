/** Durations as the service writes them: ISO 8601 with days at most. */

const MS_PER = { day: 86_400_000, hour: 3_600_000, minute: 60_000, second: 1_000 };
const PATTERN = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
/** The greatest time span of the service, which stands for "never". */
const NEVER = 'P10675199DT2H48M5.4775807S';
const NEVER_MS = 922_337_203_685_477;

/** Milliseconds; Infinity for the greatest time span; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = PATTERN.exec(text);
  if (match === null || text === 'P' || text.endsWith('T')) return undefined;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const ms =
    (days ?? 0) * MS_PER.day +
    (hours ?? 0) * MS_PER.hour +
    (minutes ?? 0) * MS_PER.minute +
    Math.round((seconds ?? 0) * MS_PER.second);
  return ms >= NEVER_MS ? Number.POSITIVE_INFINITY : ms;
}

export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms >= NEVER_MS) return NEVER;
  const days = Math.floor(ms / MS_PER.day);
  const hours = Math.floor((ms % MS_PER.day) / MS_PER.hour);
  const minutes = Math.floor((ms % MS_PER.hour) / MS_PER.minute);
  const seconds = (ms % MS_PER.minute) / MS_PER.second;
  const time = [
    hours === 0 ? '' : `${hours}H`,
    minutes === 0 ? '' : `${minutes}M`,
    seconds === 0 ? '' : `${seconds}S`,
  ].join('');
  if (days === 0 && time === '') return 'PT0S';
  return `P${days === 0 ? '' : `${days}D`}${time === '' ? '' : `T${time}`}`;
}
