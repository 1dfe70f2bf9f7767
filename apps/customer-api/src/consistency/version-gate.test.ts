import { type Stamp, type VersionVector, vectorWith } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import { createVersionGate } from './version-gate.ts';

const OLD = vectorWith(new Map(), '0199a1b2c3d4-0001-east-a' as Stamp);
const NEW = vectorWith(OLD, '0199a1b2c3d4-0002-east-a' as Stamp);

describe('a version gate', () => {
  it('waits until the version is there, reading a few times a second at most', async () => {
    const clock = createVirtualClock(0);
    let reads = 0;
    const readVersion = async (): Promise<VersionVector> => {
      reads += 1;
      return clock.nowMs() >= 1_500 ? NEW : OLD;
    };
    const gate = createVersionGate({ clock, readVersion });
    expect(await driveVirtualTime(clock, gate.reaches('a', NEW, 2_000))).toBe(true);
    expect(clock.nowMs()).toBeLessThan(2_000);
    expect(reads).toBeLessThan(15);
  });

  it('gives up when the time is over, not before and not after', async () => {
    const clock = createVirtualClock(0);
    const gate = createVersionGate({ clock, readVersion: async () => undefined });
    expect(await driveVirtualTime(clock, gate.reaches('a', NEW, 2_000))).toBe(false);
    expect(clock.nowMs()).toBe(2_000);
  });

  it('lets no more than its bound wait: one more is answered at once', async () => {
    const clock = createVirtualClock(0);
    const gate = createVersionGate({ clock, readVersion: async () => OLD, waitersMax: 1 });
    const first = gate.reaches('a', NEW, 1_000);
    await clock.advance(0);
    expect(await gate.reaches('a', NEW, 1_000)).toBe(false);
    expect(clock.nowMs()).toBe(0);
    expect(await gate.reaches('a', OLD, 1_000)).toBe(true);
    expect(await driveVirtualTime(clock, first)).toBe(false);
    const again = gate.reaches('a', NEW, 100);
    expect(await driveVirtualTime(clock, again)).toBe(false);
    expect(clock.nowMs()).toBe(1_100);
  });

  it('lets nobody wait once the process stops', async () => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const clock = createVirtualClock(0);
    const gate = createVersionGate({ clock, readVersion: async () => OLD, stopping: signal });
    const waiting = gate.reaches('a', NEW, 10_000);
    await clock.advance(1_000);
    stopping.abort();
    expect(await waiting).toBe(false);
    expect(await gate.reaches('a', NEW, 10_000)).toBe(false);
    expect(clock.nowMs()).toBe(1_000);
  });
});
