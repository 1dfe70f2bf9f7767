import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWatermarkTracker } from '../inbound/watermark-tracker.ts';
import {
  decodeWatermark,
  encodeWatermark,
  type PendingWatermark,
  watermarkTimeMs,
} from './watermark.ts';

const DRIFT_MS_MAX = 60_000;
const YEAR_MS = 365 * 86_400_000;

function setUp(nowMs = 1_000_000) {
  const wall = { ms: nowMs };
  const refused: string[] = [];
  const tracker = createWatermarkTracker({
    clock: { nowMs: () => wall.ms },
    peers: ['west'],
    driftMsMax: DRIFT_MS_MAX,
    onRefused: (from, why) => void refused.push(`${from}: ${why}`),
  });
  let sequenceNumber = 0n;
  const hear = (watermark: Omit<PendingWatermark, 'from' | 'sequenceNumber'>): void => {
    sequenceNumber += 1n;
    tracker.note({ from: 'west', sequenceNumber, ...watermark });
    tracker.settle(tracker.pending(), undefined);
  };
  return { tracker, wall, refused, hear };
}

describe('A3, I16: the word of a wrong clock', () => {
  test.each([
    ['timeMs', { timeMs: Number.MAX_SAFE_INTEGER }],
    ['appliedMs', { timeMs: 1, appliedMs: Number.MAX_SAFE_INTEGER }],
    ['allAppliedMs', { timeMs: 1, allAppliedMs: Number.MAX_SAFE_INTEGER }],
    ['soundMs', { timeMs: 1, soundMs: 1_000_000 + DRIFT_MS_MAX + 1 }],
  ])('is neither believed nor remembered where %s is too far ahead', (_, claim) => {
    const { tracker, wall, refused, hear } = setUp();
    hear(claim);
    expect(tracker.claimsOf('west')).toEqual(NOTHING);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toContain('ahead of the clock here');
    wall.ms = Number.MAX_SAFE_INTEGER;
    expect(tracker.claimsOf('west')).toEqual(NOTHING);
    expect(tracker.pending()).toEqual([]);
  });

  test('within the bound vouches for nothing that was done after it came', () => {
    const { tracker, wall, hear } = setUp();
    hear({ timeMs: wall.ms + DRIFT_MS_MAX, appliedMs: wall.ms + 1 });
    expect(tracker.claimsOf('west')).toMatchObject({ passedMs: wall.ms, appliedMs: wall.ms });
  });

  test('believed while the clock here was as wrong is forgotten when that is set right', () => {
    const { tracker, wall, hear } = setUp(YEAR_MS + 1_000_000);
    hear({ timeMs: wall.ms, appliedMs: wall.ms });
    tracker.note({ from: 'west', timeMs: wall.ms, sequenceNumber: 99n });
    wall.ms = 1_000_000;
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.claimsOf('west')).toEqual(NOTHING);
    hear({ timeMs: wall.ms - 5, appliedMs: wall.ms - 9 });
    expect(tracker.claimsOf('west')).toMatchObject({
      passedMs: wall.ms - 5,
      appliedMs: wall.ms - 9,
    });
  });

  test('A18: of 20,000 regions that nobody knows takes no memory', () => {
    const { tracker, refused } = setUp();
    for (let n = 0; n < 20_000; n += 1) {
      tracker.note({ from: `r${n}`, timeMs: n, sequenceNumber: BigInt(n) });
    }
    expect(refused).toHaveLength(20_000);
    expect(tracker.pending()).toEqual([]);
    expect(tracker.claimsOf('r7')).toEqual(NOTHING);
  });
});

const NOTHING = {
  passedMs: undefined,
  soundMs: undefined,
  appliedMs: undefined,
  allAppliedMs: undefined,
  reads: undefined,
};

describe('A7: what is damaged in the outbox of a peer', () => {
  test('is claimed by no watermark, and keeps nobody waiting', () => {
    const { tracker, wall, hear } = setUp();
    hear({ timeMs: wall.ms - 50 });
    hear({ timeMs: 0, soundMs: wall.ms - 5 });
    expect(tracker.claimsOf('west')).toMatchObject({
      passedMs: wall.ms - 50,
      soundMs: wall.ms - 5,
    });
    expect(tracker.pending()).toEqual([]);
  });
});

describe('I11: a watermark is never flattering', () => {
  test('claims the time before the scan when nothing is owed', () => {
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: undefined })).toBe(50);
  });

  test('claims no more than the oldest that is owed', () => {
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: 20 })).toBe(20);
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: 90 })).toBe(50);
  });

  test('is passed only when no message with a smaller number is left', () => {
    const { tracker } = setUp();
    tracker.note({ from: 'west', timeMs: 10, sequenceNumber: 5n });
    tracker.note({ from: 'west', timeMs: 20, sequenceNumber: 9n });
    tracker.settle(tracker.pending(), 5n);
    expect(tracker.claimsOf('west').passedMs).toBeUndefined();
    tracker.settle(tracker.pending(), 7n);
    expect(tracker.claimsOf('west').passedMs).toBe(10);
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.claimsOf('west').passedMs).toBe(20);
  });

  test('one that arrives while the queue is looked at is not passed by that look', () => {
    const { tracker } = setUp();
    const before = tracker.pending();
    tracker.note({ from: 'west', timeMs: 10, sequenceNumber: 5n });
    tracker.settle(before, undefined);
    expect(tracker.claimsOf('west').passedMs).toBeUndefined();
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.claimsOf('west').passedMs).toBe(10);
  });

  test('one that is delivered again, late, takes nothing back', () => {
    const { tracker } = setUp();
    for (const timeMs of [20, 10]) {
      tracker.note({ from: 'west', timeMs, sequenceNumber: BigInt(timeMs) });
      tracker.settle(tracker.pending(), undefined);
    }
    expect(tracker.claimsOf('west').passedMs).toBe(20);
  });

  test('a backlog of them keeps memory bounded and the newest known', () => {
    const { tracker } = setUp();
    for (let n = 0; n < 10_000; n += 1) {
      tracker.note({ from: 'west', timeMs: n, sequenceNumber: BigInt(n) });
      expect(tracker.pending().length).toBeLessThanOrEqual(100);
    }
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.claimsOf('west').passedMs).toBe(9_999);
  });

  test('tells which messages its region reads, and the newest word counts, also that it says nothing', () => {
    const { tracker, wall, hear } = setUp();
    const heard = (reads?: number) => {
      wall.ms += 1_000;
      hear({ timeMs: 1, ...(reads !== undefined && { reads }) });
      return tracker.claimsOf('west').reads;
    };
    expect(heard(8)).toEqual({ wireVersion: 8, heardMs: 1_001_000 });
    expect(heard(7)).toEqual({ wireVersion: 7, heardMs: 1_002_000 });
    expect(heard()).toEqual({ heardMs: 1_003_000 });
    heard(8);
    wall.ms -= YEAR_MS;
    expect(tracker.claimsOf('west').reads).toBeUndefined();
  });

  test.each([0, 1.5, '8', null])('is none that reads %j', (reads) => {
    const json = { wire: 1, from: 'east', timeMs: 1, reads };
    expect(() => decodeWatermark(Buffer.from(JSON.stringify(json)))).toThrow('no watermark');
  });

  test('reads back as it was written, and anything else is refused', () => {
    const watermark = { from: 'east', timeMs: 1_234, reads: 8 };
    expect(decodeWatermark(encodeWatermark(watermark))).toEqual(watermark);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => decodeWatermark(bytes)).toThrow('watermark');
      }),
    );
  });
});
