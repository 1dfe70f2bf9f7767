import { describe, expect, it } from 'vitest';
import { decideRestart, RESTART_POLICY, type RestartHistory } from './supervised-process.ts';

describe('restarting what ended unexpectedly', () => {
  it('waits longer each time and gives up after a bound', () => {
    const delays: number[] = [];
    let history: RestartHistory = { tries: 0 };
    for (;;) {
      const decision = decideRestart(RESTART_POLICY, history, 0);
      if (decision.kind === 'give-up') break;
      delays.push(decision.delayMs);
      ({ history } = decision);
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  });

  it('begins anew for a process that had lived for a while', () => {
    const spent = { tries: RESTART_POLICY.triesMax };
    expect(decideRestart(RESTART_POLICY, spent, RESTART_POLICY.steadyMs)).toEqual({
      kind: 'restart',
      delayMs: 500,
      history: { tries: 1 },
    });
  });
});
