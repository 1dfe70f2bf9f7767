import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PaceKeeper } from './pace.ts';

const PACE = { bytesPerSecondMin: 1_000, patienceMs: 30_000 };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Whether a client that sends so many bytes every so often is cut off within ten minutes. */
async function isCutOff(bytes: number, everyMs: number): Promise<boolean> {
  const tooSlow = new AbortController();
  const keeper = new PaceKeeper({ ...PACE, onTooSlow: () => tooSlow.abort() });
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let sentMs = 0; sentMs < 600_000 && !tooSlow.signal.aborted; sentMs += everyMs) {
      const sent = Promise.withResolvers<void>();
      setTimeout(() => sent.resolve(), everyMs);
      await sent.promise;
      yield Buffer.alloc(bytes);
    }
  }
  const reading = (async () => {
    for await (const _piece of keeper.sends(pieces()));
  })();
  await vi.advanceTimersByTimeAsync(700_000);
  await reading;
  return tooSlow.signal.aborted;
}

describe('A16: the least rate of a stream', () => {
  it.each([
    [1, 1_000, true],
    [999, 1_000, false],
    [500, 1_000, true],
    [1_000, 1_000, false],
    [29_000, 29_000, false],
    [40_000, 31_000, true],
    [0, 1, true],
  ])('of %i bytes every %i ms: too slow is %s', async (bytes, everyMs, expected) => {
    expect(await isCutOff(bytes, everyMs)).toBe(expected);
  });

  it('counts no time in which the client is not waited for', async () => {
    vi.useRealTimers();
    let isTooSlow = false;
    const keeper = new PaceKeeper({
      bytesPerSecondMin: 1_000_000,
      patienceMs: 100,
      onTooSlow: () => (isTooSlow = true),
    });
    async function* texts(): AsyncGenerator<string> {
      for (let index = 0; index < 3; index += 1) {
        // The table is slow, not the client.
        await sleep(150);
        yield 'x';
      }
    }
    for await (const _text of keeper.takes(texts()));
    expect(isTooSlow).toBe(false);
  });
});
