import type { SettingProblem, Settings } from './settings-schema.ts';

type ProbeTiming = Pick<Settings, 'PROBE_INTERVAL_MS' | 'PROBE_TIMEOUT_MS' | 'ALLOW_FAST_PROBES'>;

const TIMEOUT_MS_MIN = 5000;
const TIMEOUT_MS_MAX_BY_INTERVAL_MS: ReadonlyMap<number, number> = new Map([
  [10_000, 9000],
  [30_000, 10_000],
]);
const FAST_INTERVAL_MS_LIMIT = 10_000;

/** The rules of Traffic Manager that tie the interval and the time-out of probes together. */
export function findProbeTimingProblems(timing: ProbeTiming): readonly SettingProblem[] {
  const { PROBE_INTERVAL_MS: intervalMs, PROBE_TIMEOUT_MS: timeoutMs } = timing;
  if (intervalMs < FAST_INTERVAL_MS_LIMIT) {
    if (timing.ALLOW_FAST_PROBES) return [];
    return [
      {
        variable: 'PROBE_INTERVAL_MS',
        message: `${intervalMs} is below the 10000 of Traffic Manager; for local use only, set ALLOW_FAST_PROBES=true to allow it`,
      },
    ];
  }
  const timeoutMsMax = TIMEOUT_MS_MAX_BY_INTERVAL_MS.get(intervalMs);
  if (timeoutMsMax === undefined) {
    return [
      {
        variable: 'PROBE_INTERVAL_MS',
        message: `${intervalMs} is neither of the two that Traffic Manager has, 10000 and 30000`,
      },
    ];
  }
  if (timeoutMs >= TIMEOUT_MS_MIN && timeoutMs <= timeoutMsMax) return [];
  return [
    {
      variable: 'PROBE_TIMEOUT_MS',
      message: `${timeoutMs} is not from ${TIMEOUT_MS_MIN} to ${timeoutMsMax}, the bounds of Traffic Manager with an interval of ${intervalMs}`,
    },
  ];
}
