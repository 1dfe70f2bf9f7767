import { formatStamp, type Stamp, type VersionVector, vectorWith } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import {
  createVersionGate,
  type Reach,
  type VersionGate,
  type VersionGateOptions,
  whyImpossible,
} from './version-gate.ts';

const OLD = vectorWith(new Map(), '0199a1b2c3d4-0001-east-a' as Stamp);
const NEW = vectorWith(OLD, '0199a1b2c3d4-0002-east-a' as Stamp);

function createGate(
  options: Omit<VersionGateOptions, 'whyImpossible'>,
): (least: VersionVector, waitMs: number, caller?: string) => Promise<Reach['kind']> {
  const gate: VersionGate = createVersionGate({ whyImpossible: () => undefined, ...options });
  return async (least, waitMs, caller = 'ada') =>
    (await gate.reach('a', least, { waitMs, caller })).kind;
}

describe('a version gate', () => {
  it('waits until the version is there, reading a few times a second at most', async () => {
    const clock = createVirtualClock(0);
    let reads = 0;
    const readVersion = async (): Promise<VersionVector> => {
      reads += 1;
      return clock.nowMs() >= 1_500 ? NEW : OLD;
    };
    const reach = createGate({ clock, readVersion });
    expect(await driveVirtualTime(clock, reach(NEW, 2_000))).toBe('reached');
    expect(clock.nowMs()).toBeLessThan(2_000);
    expect(reads).toBeLessThan(15);
  });

  it('gives up when the time is over, not before and not after', async () => {
    const clock = createVirtualClock(0);
    const reach = createGate({ clock, readVersion: async () => undefined });
    expect(await driveVirtualTime(clock, reach(NEW, 2_000))).toBe('not-reached');
    expect(clock.nowMs()).toBe(2_000);
  });

  it('A14: lets no more than its bound wait, and fewer of one caller', async () => {
    const clock = createVirtualClock(0);
    const bounds = { waitersMax: 3, waitersPerCallerMax: 2 };
    const reach = createGate({ clock, readVersion: async () => OLD, ...bounds });
    const waiting = [reach(NEW, 1_000), reach(NEW, 1_000)];
    await clock.advance(0);
    await expect(reach(NEW, 1_000)).rejects.toMatchObject({ code: 'OVERLOADED' });
    waiting.push(reach(NEW, 1_000, 'bob'));
    await clock.advance(0);
    await expect(reach(NEW, 1_000, 'eve')).rejects.toMatchObject({ code: 'OVERLOADED' });
    // Whoever need not wait takes no place.
    expect(await reach(OLD, 1_000)).toBe('reached');
    expect(await reach(NEW, 0)).toBe('not-reached');
    expect(clock.nowMs()).toBe(0);
    const answers = await driveVirtualTime(clock, Promise.all(waiting));
    expect(new Set(answers)).toEqual(new Set(['not-reached']));
    expect(await driveVirtualTime(clock, reach(NEW, 100))).toBe('not-reached');
    expect(clock.nowMs()).toBe(1_100);
  });

  it('A14: waits for no version that cannot be, and shows one that is there all the same', async () => {
    const clock = createVirtualClock(0);
    const whyImpossible = (): string => 'it cannot be.';
    const gate = createVersionGate({ clock, whyImpossible, readVersion: async () => OLD });
    const wait = { waitMs: 10_000, caller: 'ada' };
    expect(await gate.reach('a', NEW, wait)).toEqual({ kind: 'impossible', why: 'it cannot be.' });
    expect(await gate.reach('a', OLD, wait)).toEqual({ kind: 'reached' });
    expect(clock.nowMs()).toBe(0);
  });

  it('lets nobody wait once the process stops', async () => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const clock = createVirtualClock(0);
    const reach = createGate({ clock, readVersion: async () => OLD, stopping: signal });
    const waiting = reach(NEW, 10_000);
    await clock.advance(1_000);
    stopping.abort();
    expect(await waiting).toBe('not-reached');
    expect(await reach(NEW, 10_000)).toBe('not-reached');
    expect(clock.nowMs()).toBe(1_000);
  });
});

describe('A14: a version that no region can have made', () => {
  const nowMs = Date.UTC(2026, 10, 1);
  const bounds = { regions: ['east', 'west'], nowMs, driftMsMax: 60_000 };
  const why = (region: string, timeMs: number): string | undefined =>
    whyImpossible(
      vectorWith(OLD, formatStamp({ timeMs, counter: 0, region, writer: 'a' })),
      bounds,
    );

  it.each([
    ['mars', nowMs, /of a region mars, which is none of these/],
    ['west', nowMs + 60_001, /its time in west is further ahead/],
    ['west', 2 ** 48 - 1, /its time in west is further ahead/],
    ['east', Date.UTC(3000, 0, 1), /its time in east is further ahead/],
  ])('is named: of %s at %i', (region, timeMs, reason) => {
    expect(why(region, timeMs)).toMatch(reason);
  });

  it('is none of the drift that clocks may have', () => {
    expect(why('west', nowMs + 60_000)).toBeUndefined();
    expect(why('west', 0)).toBeUndefined();
  });
});
