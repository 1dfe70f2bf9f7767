import { describe, expect, test } from 'vitest';
import { describeClockContract } from '../testing/clock-contract.ts';
import { createVirtualClock, driveVirtualTime } from './virtual-clock.ts';

const START_MS = Date.UTC(2026, 0, 1);

describeClockContract('virtual', () => {
  const clock = createVirtualClock(START_MS);
  return { clock, drive: (work) => driveVirtualTime(clock, work), earlyMsMax: 0 };
});

describe('virtual clock', () => {
  test('stands still until it is advanced', async () => {
    const clock = createVirtualClock(START_MS);
    await clock.advance(0);
    expect(clock.nowMs()).toBe(START_MS);
    await clock.advance(1_500);
    expect(clock.nowMs()).toBe(START_MS + 1_500);
  });

  test('those who are due at the same time wake in the order in which they fell asleep', async () => {
    const clock = createVirtualClock(START_MS);
    const woken: number[] = [];
    for (const one of [1, 2, 3]) void clock.sleep(10).then(() => woken.push(one));
    await clock.advance(10);
    expect(woken).toEqual([1, 2, 3]);
  });

  test('a sleeper sees the time at which it was due, and may sleep again meanwhile', async () => {
    const clock = createVirtualClock(START_MS);
    const seenMs: number[] = [];
    void (async () => {
      for (let round = 0; round < 3; round += 1) {
        await clock.sleep(100);
        seenMs.push(clock.nowMs() - START_MS);
      }
    })();
    await clock.advance(1_000);
    expect(seenMs).toEqual([100, 200, 300]);
    expect(clock.nowMs()).toBe(START_MS + 1_000);
  });

  test('what one sleeper starts has run before the next sleeper wakes', async () => {
    const clock = createVirtualClock(START_MS);
    const events: string[] = [];
    void (async () => {
      await clock.sleep(10);
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      events.push('first is done');
    })();
    void clock.sleep(10).then(() => events.push('second wakes'));
    await clock.advance(10);
    expect(events).toEqual(['first is done', 'second wakes']);
  });

  test('tells when the next sleeper is due', async () => {
    const clock = createVirtualClock(START_MS);
    expect(clock.nextWakeMs()).toBeUndefined();
    const controller = new AbortController();
    void clock.sleep(10, controller.signal);
    void clock.sleep(20);
    expect(clock.nextWakeMs()).toBe(START_MS + 10);
    controller.abort();
    expect(clock.nextWakeMs()).toBe(START_MS + 20);
    await clock.advance(20);
    expect(clock.nextWakeMs()).toBeUndefined();
  });

  test('time does not go back', async () => {
    await expect(createVirtualClock(START_MS).advance(-1)).rejects.toThrow('cannot go back');
  });
});

describe('driving virtual time', () => {
  test('advances until the work is done and no further', async () => {
    const clock = createVirtualClock(START_MS);
    void clock.sleep(10_000);
    const work = clock.sleep(30).then(() => clock.sleep(40));
    await driveVirtualTime(clock, work);
    expect(clock.nowMs()).toBe(START_MS + 70);
  });

  test('hands on the error of the work', async () => {
    const clock = createVirtualClock(START_MS);
    const work = clock.sleep(1).then(() => Promise.reject(new Error('broken')));
    await expect(driveVirtualTime(clock, work)).rejects.toThrow('broken');
  });

  test('fails when the work waits for something that never comes', async () => {
    const clock = createVirtualClock(START_MS);
    await expect(driveVirtualTime(clock, new Promise(() => undefined))).rejects.toThrow(
      'nobody sleeps',
    );
  });
});
