import { describe, expect, it } from 'vitest';
import { decideRestart, RESTART_POLICY, type RestartHistory } from './supervised-process.ts';

describe('restarting what ended unexpectedly', () => {
  it('waits longer each time and gives up after a bound', () => {
    const delays: number[] = [];
    let history: RestartHistory = { tries: 0 };
    for (;;) {
      const decision = decideRestart(RESTART_POLICY, history, { livedMs: 0, isKilled: false });
      if (decision.kind === 'give-up') break;
      delays.push(decision.delayMs);
      ({ history } = decision);
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  });

  it('begins anew for a process that had lived for a while', () => {
    const spent = { tries: RESTART_POLICY.triesMax };
    const end = { livedMs: RESTART_POLICY.steadyMs, isKilled: false };
    expect(decideRestart(RESTART_POLICY, spent, end)).toEqual({
      kind: 'restart',
      delayMs: 500,
      history: { tries: 1 },
    });
  });

  it('leaves one that was killed down for as long as it is told, and any other no longer', () => {
    const policy = { ...RESTART_POLICY, killedMs: 60_000 };
    const delayOf = (isKilled: boolean): unknown =>
      decideRestart(policy, { tries: 0 }, { livedMs: 0, isKilled });
    expect(delayOf(true)).toMatchObject({ kind: 'restart', delayMs: 60_000 });
    expect(delayOf(false)).toMatchObject({ kind: 'restart', delayMs: 500 });
  });
});
