import { describe, expect, test } from 'vitest';
import { TransientError } from '../errors.ts';
import { createVirtualClock, driveVirtualTime } from '../memory/virtual-clock.ts';
import { holdLeases } from './hold-leases.ts';

type Renewal = () => Promise<boolean>;

/** Work that goes on for minutes unless it is stopped, under a lease whose renewals answer so. */
async function workUnder(renewal: Renewal): Promise<{ outcome: unknown; workedMs: number }> {
  const clock = createVirtualClock(0);
  const leaseLost = new AbortController();
  let asked = 0;
  const lease = {
    acquire: async () => (asked++ === 0 ? true : renewal()),
    release: async () => undefined,
  };
  const held = holdLeases(
    [{ name: 'west', lease }],
    { clock, signal: leaseLost.signal, leaseLost },
    async () => {
      await clock.sleep(300_000, leaseLost.signal);
      leaseLost.signal.throwIfAborted();
      return 'done';
    },
  );
  const outcome = await driveVirtualTime(
    clock,
    held.catch((error: unknown) => error),
  );
  return { outcome, workedMs: clock.nowMs() };
}

test('work goes on for as long as its lease is renewed', async () => {
  expect(await workUnder(async () => true)).toEqual({ outcome: 'done', workedMs: 300_000 });
});

test('work stops when someone else has taken the lease, and says so', async () => {
  const { outcome, workedMs } = await workUnder(async () => false);
  expect(outcome).toMatchObject({ code: 'RECOVERY_BUSY' });
  expect((outcome as Error).message).toContain('The lease of west could not be renewed');
  expect(workedMs).toBeLessThan(60_000);
});

test('work outlasts a store that is down for a moment, and no lease that has ended', async () => {
  const down = new TransientError('TABLE_UNAVAILABLE', 'West is down.');
  let left = 2;
  const shortly = await workUnder(async () => {
    left -= 1;
    if (left >= 0) throw down;
    return true;
  });
  expect(shortly.outcome).toBe('done');
  const long = await workUnder(() => Promise.reject(down));
  expect(long.outcome).toMatchObject({ code: 'RECOVERY_BUSY' });
  // At the very end of the lease.
  expect(long.workedMs).toBe(60_000);
  const answers = [true, down, down, true];
  const late = await workUnder(async () => {
    const answer = answers.shift() ?? true;
    if (answer === true) return true;
    throw answer;
  });
  expect(late.outcome).toBe('done');
});

test('work stops at a bug in the renewal, and passes it on', async () => {
  const bug = new Error('a bug');
  const { outcome, workedMs } = await workUnder(() => Promise.reject(bug));
  expect([outcome, workedMs]).toEqual([bug, 20_000]);
});

describe('the leases of several regions', () => {
  const holdThree = async (
    work: () => Promise<unknown>,
    more: { readonly busy?: string; readonly signal?: AbortSignal } = {},
  ) => {
    const clock = createVirtualClock(0);
    const calls: string[] = [];
    const regions = ['east', 'west', 'north'].map((name) => ({
      name,
      lease: {
        acquire: async () => {
          calls.push(`acquire ${name}`);
          return name !== more.busy;
        },
        release: async () => {
          calls.push(`release ${name}`);
          if (name === 'east') throw new Error('down');
        },
      },
    }));
    const leaseLost = new AbortController();
    const signal = more.signal ?? new AbortController().signal;
    const outcome = await holdLeases(regions, { clock, signal, leaseLost }, async () => {
      calls.push('work');
      return work();
    }).catch((error: unknown) => error);
    const before = calls.length;
    await clock.advance(300_000);
    // Nobody renews what is over.
    expect(calls).toHaveLength(before);
    return { outcome, calls };
  };
  const [ACQUIRED, RELEASED] = ['acquire', 'release'].map((what) =>
    ['east', 'west', 'north'].map((name) => `${what} ${name}`),
  ) as [string[], string[]];

  test('are held while the work is done, and given back whatever becomes of it', async () => {
    const done = await holdThree(async () => 'done');
    expect(done).toEqual({ outcome: 'done', calls: [...ACQUIRED, 'work', ...RELEASED] });
    const failure = new Error('no');
    const failed = await holdThree(() => Promise.reject(failure));
    expect(failed).toEqual({ outcome: failure, calls: [...ACQUIRED, 'work', ...RELEASED] });
  });

  test('are given back where one of them is not to be had, and nothing is done', async () => {
    const { outcome, calls } = await holdThree(async () => 'done', { busy: 'north' });
    expect(outcome).toMatchObject({
      code: 'RECOVERY_BUSY',
      message: expect.stringMatching(/recovers the region north now.* over 60 s later/s),
    });
    expect(calls).toEqual([...ACQUIRED, ...RELEASED.slice(0, 2)]);
  });

  test('are given back when the operator has stopped it meanwhile', async () => {
    const { outcome, calls } = await holdThree(async () => 'done', { signal: AbortSignal.abort() });
    expect(outcome).toMatchObject({ name: 'AbortError' });
    expect(calls).toEqual([...ACQUIRED, ...RELEASED]);
  });
});
