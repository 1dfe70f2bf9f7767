/** How often, and when, a process that ended unexpectedly is started again. */
export interface RestartPolicy {
  /** In a row: a process that lived for `steadyMs` begins anew. */
  readonly triesMax: number;
  readonly delayMsFirst: number;
  readonly delayMsMax: number;
  readonly steadyMs: number;
}

export const RESTART_POLICY: RestartPolicy = {
  triesMax: 5,
  delayMsFirst: 500,
  delayMsMax: 8_000,
  steadyMs: 60_000,
};

/** How many restarts in a row there were, this end not counted. */
export interface RestartHistory {
  readonly tries: number;
}

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: RestartHistory }
  | { readonly kind: 'give-up'; readonly tries: number };

export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  livedMs: number,
): RestartDecision {
  const tries = livedMs >= policy.steadyMs ? 0 : history.tries;
  if (tries >= policy.triesMax) return { kind: 'give-up', tries };
  const delayMs = Math.min(policy.delayMsFirst * 2 ** tries, policy.delayMsMax);
  return { kind: 'restart', delayMs, history: { tries: tries + 1 } };
}
