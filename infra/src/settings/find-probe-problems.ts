// The bounds of Azure Traffic Manager: articles/traffic-manager/traffic-manager-monitoring in the
// Azure documentation. A profile outside of them is refused only when it is deployed.
import type { ProbeSettings } from './deployment-settings.ts';

const TOLERATED_FAILURES_MAX = 9;
const TIMEOUT_SECONDS_MIN = 5;
/** By interval: a timeout must end before the next probe, and never takes longer than ten seconds. */
const TIMEOUT_SECONDS_MAX: Readonly<Record<number, number>> = { 10: 9, 30: 10 };
const TTL_SECONDS_MAX = 2_147_483_647;

/** One sentence for each problem. */
export function findProbeProblems(probe: ProbeSettings): string[] {
  const { intervalSeconds, timeoutSeconds, toleratedFailures, dnsTtlSeconds } = probe;
  const timeoutMax = TIMEOUT_SECONDS_MAX[intervalSeconds];
  const problems: string[] = [];
  if (timeoutMax === undefined) {
    problems.push(
      `probe.intervalSeconds is ${intervalSeconds}, but Traffic Manager probes every 10 or every 30 seconds: set one of the two.`,
    );
  } else if (timeoutSeconds < TIMEOUT_SECONDS_MIN || timeoutSeconds > timeoutMax) {
    problems.push(
      `probe.timeoutSeconds is ${timeoutSeconds}, but with an interval of ${intervalSeconds} Traffic Manager allows ${TIMEOUT_SECONDS_MIN} to ${timeoutMax}: set one of these.`,
    );
  }
  if (toleratedFailures < 0 || toleratedFailures > TOLERATED_FAILURES_MAX) {
    problems.push(
      `probe.toleratedFailures is ${toleratedFailures}, but Traffic Manager allows 0 to ${TOLERATED_FAILURES_MAX}: set one of these.`,
    );
  }
  if (dnsTtlSeconds < 0 || dnsTtlSeconds > TTL_SECONDS_MAX) {
    problems.push(`probe.dnsTtlSeconds is ${dnsTtlSeconds}: set a time that is not negative.`);
  }
  return problems;
}

/** Until clients are sent elsewhere, in seconds: the failures, the last timeout, the cached name. */
export function failOverSecondsMax(probe: ProbeSettings): number {
  const { intervalSeconds, timeoutSeconds, toleratedFailures, dnsTtlSeconds } = probe;
  return (toleratedFailures + 1) * intervalSeconds + timeoutSeconds + dnsTtlSeconds;
}
