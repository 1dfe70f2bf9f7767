import { describe, expect, test } from 'vitest';
import { type CatchUpInput, nextCatchUp } from './decide-readiness.ts';

const NOW_MS = 1_000_000;

function next(
  input: Partial<CatchUpInput>,
  passedAgoMs: number | null = 1_000,
): number | undefined {
  const passedMs = passedAgoMs === null ? undefined : NOW_MS - passedAgoMs;
  return nextCatchUp({
    nowMs: NOW_MS,
    previous: { atMs: NOW_MS - 1_000, catchingUpSinceMs: undefined },
    wasInterrupted: false,
    progress: { hasBacklog: false, peers: [{ peer: 'west', passedMs, isReachable: true }] },
    settings: { lagMsMax: 15_000, waitMsMax: 600_000, heartbeatMsMax: 10_000, driftMsMax: 60_000 },
    ...input,
  });
}

const catchingUp = { previous: { atMs: NOW_MS - 1_000, catchingUpSinceMs: NOW_MS - 8_000 } };

describe('catching up', () => {
  test('begins at the start', () => expect(next({ previous: undefined })).toBe(NOW_MS));

  test('begins anew after an outage of the queue or the store', () =>
    expect(next({ wasInterrupted: true })).toBe(NOW_MS));

  test('begins anew after standing still', () =>
    expect(next({ previous: { atMs: NOW_MS - 10_001, catchingUpSinceMs: undefined } })).toBe(
      NOW_MS,
    ));

  test('goes on while a peer is behind', () => expect(next(catchingUp, null)).toBe(NOW_MS - 8_000));

  test('A3: begins anew when the clock was set back, and never ends in the future', () => {
    const back = { atMs: NOW_MS + 365 * 86_400_000, catchingUpSinceMs: undefined };
    expect(next({ previous: back })).toBe(NOW_MS);
    const ahead = { atMs: NOW_MS + 1_000, catchingUpSinceMs: NOW_MS + 30_000 };
    expect(next({ previous: ahead }, null)).toBe(NOW_MS);
  });

  test('ends once a fresh watermark is passed', () =>
    expect(next(catchingUp, 1_000)).toBeUndefined());

  test('does not begin because a peer falls silent', () =>
    expect(next({}, 3_600_000)).toBeUndefined());
});
