import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWatermarkTracker } from './watermark-tracker.ts';
import { decodeWatermark, encodeWatermark, watermarkTimeMs } from './watermark.ts';

describe('I11: a watermark is never flattering', () => {
  test('claims the time before the scan when nothing is owed', () => {
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: undefined })).toBe(50);
  });

  test('claims no more than the oldest that is owed', () => {
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: 20 })).toBe(20);
    expect(watermarkTimeMs({ scanStartedMs: 50, oldestOwedMs: 90 })).toBe(50);
  });

  test('is passed only when no message with a smaller number is left', () => {
    const tracker = createWatermarkTracker();
    tracker.note({ from: 'west', timeMs: 10, sequenceNumber: 5n });
    tracker.note({ from: 'west', timeMs: 20, sequenceNumber: 9n });
    tracker.settle(tracker.pending(), 5n);
    expect(tracker.passedMs('west')).toBeUndefined();
    tracker.settle(tracker.pending(), 7n);
    expect(tracker.passedMs('west')).toBe(10);
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.passedMs('west')).toBe(20);
  });

  test('one that arrives while the queue is looked at is not passed by that look', () => {
    const tracker = createWatermarkTracker();
    const before = tracker.pending();
    tracker.note({ from: 'west', timeMs: 10, sequenceNumber: 5n });
    tracker.settle(before, undefined);
    expect(tracker.passedMs('west')).toBeUndefined();
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.passedMs('west')).toBe(10);
  });

  test('one that is delivered again, late, takes nothing back', () => {
    const tracker = createWatermarkTracker();
    for (const timeMs of [20, 10]) {
      tracker.note({ from: 'west', timeMs, sequenceNumber: BigInt(timeMs) });
      tracker.settle(tracker.pending(), undefined);
    }
    expect(tracker.passedMs('west')).toBe(20);
  });

  test('a backlog of them keeps memory bounded and the newest known', () => {
    const tracker = createWatermarkTracker();
    for (let n = 0; n < 10_000; n += 1) {
      tracker.note({ from: 'west', timeMs: n, sequenceNumber: BigInt(n) });
      expect(tracker.pending().length).toBeLessThanOrEqual(100);
    }
    tracker.settle(tracker.pending(), undefined);
    expect(tracker.passedMs('west')).toBe(9_999);
  });

  test('reads back as it was written, and anything else is refused', () => {
    const watermark = { from: 'east', timeMs: 1_234 };
    expect(decodeWatermark(encodeWatermark(watermark))).toEqual(watermark);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => decodeWatermark(bytes)).toThrow('watermark');
      }),
    );
  });
});
