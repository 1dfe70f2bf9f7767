import { expect, test } from 'vitest';
import { TransientError } from '../errors.ts';
import { driveVirtualTime } from '../memory/drive-virtual-time.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
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
  expect(long.workedMs).toBeLessThanOrEqual(80_000);
});
