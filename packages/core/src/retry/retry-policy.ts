export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/**
 * How long to wait after the `attempt`-th failure (the first is 1), in milliseconds: exponential,
 * with full jitter, so that many who failed together do not return together.
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, fraction: number): number {
  const ceiling = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** (attempt - 1));
  return Math.round(policy.delayMsMin / 2 + fraction * (ceiling - policy.delayMsMin / 2));
}
