import { formatStamp, type OutboxEntry, type Stamp } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import { type AcknowledgementAsked, createAcknowledgements } from './acknowledgements.ts';

const STAMP = '0199a1b2c3d4-0003-east-k3v9x2q7' as Stamp;
const LOCAL = { level: 'local', peers: [] };

function entryOf(stamp: Stamp, owed: readonly string[]): OutboxEntry {
  const set = { entityKind: 'Customers', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(), owed, committedAfterMs: 0, parkedFor: undefined };
}

function all(waitMs: number): AcknowledgementAsked {
  return { peers: 'all', waitMs };
}

function any(waitMs: number): AcknowledgementAsked {
  return { peers: 'any', waitMs };
}

function linksOf(...down: readonly string[]) {
  return ['north', 'west'].map((peer) => ({ peer, isReachable: () => !down.includes(peer) }));
}

describe('the level of a write', () => {
  it('is queued once every peer has accepted it, whether one waits before or after', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock });
    const entry = entryOf(STAMP, ['west']);
    acknowledgements.committed(entry);
    const waiting = acknowledgements.reached(STAMP, all(1_000));
    acknowledgements.sent(entry, 'west', true);
    expect(await waiting).toMatchObject({ level: 'queued', peers: ['west'] });
    expect(await acknowledgements.reached(STAMP, all(0))).toMatchObject({ level: 'queued' });
    expect(clock.nowMs()).toBe(0);
  });

  it('is local at once when the process stops while one waits', async () => {
    const stopping = new AbortController();
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock, stopping: stopping.signal });
    acknowledgements.committed(entryOf(STAMP, ['west']));
    const waiting = acknowledgements.reached(STAMP, all(10_000));
    stopping.abort();
    expect(await waiting).toMatchObject(LOCAL);
    expect(await acknowledgements.reached(STAMP, all(10_000))).toMatchObject(LOCAL);
  });

  it('is local when the time is up, when there is no peer, and for a stamp of another process', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock });
    acknowledgements.committed(entryOf(STAMP, ['west']));
    const late = acknowledgements.reached(STAMP, all(600));
    expect(await driveVirtualTime(clock, late)).toMatchObject(LOCAL);
    expect(clock.nowMs()).toBe(600);
    const alone = '0199a1b2c3d4-0004-east-k3v9x2q7' as Stamp;
    acknowledgements.committed(entryOf(alone, []));
    expect(await acknowledgements.reached(alone, all(60_000))).toEqual(LOCAL);
  });

  it('is local for the oldest of more than are followed, and whoever waits for it is told at once', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock });
    const entries = Array.from({ length: 20_001 }, (_, counter) =>
      entryOf(formatStamp({ timeMs: counter, counter: 0, region: 'east', writer: 'w' }), ['west']),
    );
    const [first, second, ...others] = entries as [OutboxEntry, OutboxEntry, ...OutboxEntry[]];
    acknowledgements.committed(first);
    const waiting = acknowledgements.reached(first.set.stamp, all(60_000));
    for (const entry of [second, ...others.slice(1)]) acknowledgements.committed(entry);
    acknowledgements.committed(others[0]!);
    expect(await waiting).toEqual(LOCAL);
    for (const entry of [first, second]) acknowledgements.sent(entry, 'west', true);
    expect(await acknowledgements.reached(first.set.stamp, all(0))).toEqual(LOCAL);
    const kept = await acknowledgements.reached(second.set.stamp, all(0));
    expect(kept).toMatchObject({ level: 'queued' });
    expect(clock.nowMs()).toBe(0);
  });
});

describe('C13: the level of a write with several peers', () => {
  it('is queued, without a wait, when the one that lacks it is known to be down', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock, links: linksOf('north') });
    const entry = entryOf(STAMP, ['west', 'north']);
    acknowledgements.committed(entry);
    const waiting = acknowledgements.reached(STAMP, all(60_000));
    acknowledgements.sent(entry, 'west', true);
    expect(await waiting).toMatchObject({ level: 'queued', peers: ['west'] });
    acknowledgements.sent(entry, 'north', false);
    expect(await acknowledgements.reached(STAMP, all(60_000))).toMatchObject({ level: 'queued' });
    expect(clock.nowMs()).toBe(0);
  });

  it('is queued soon after a peer that hangs is known to', async () => {
    const clock = createVirtualClock(0);
    const links = ['north', 'west'].map((peer) => ({
      peer,
      isReachable: () => peer === 'west' || clock.nowMs() < 2_000,
    }));
    const acknowledgements = createAcknowledgements({ clock, links });
    const entry = entryOf(STAMP, ['west', 'north']);
    acknowledgements.committed(entry);
    acknowledgements.sent(entry, 'west', true);
    const waiting = acknowledgements.reached(STAMP, all(60_000));
    expect(await driveVirtualTime(clock, waiting)).toMatchObject({
      level: 'queued',
      peers: ['west'],
    });
    expect(clock.nowMs()).toBeLessThan(2_500);
  });

  it('is local when all are down, or one that can be reached has not taken it; and says who has it', async () => {
    const clock = createVirtualClock(0);
    const down = createAcknowledgements({ clock, links: linksOf('north', 'west') });
    const entry = entryOf(STAMP, ['west', 'north']);
    down.committed(entry);
    expect(await down.reached(STAMP, all(60_000))).toMatchObject(LOCAL);
    expect(await down.reached(STAMP, any(60_000))).toMatchObject(LOCAL);
    const up = createAcknowledgements({ clock, links: linksOf() });
    up.committed(entry);
    up.sent(entry, 'west', true);
    const late = up.reached(STAMP, all(1_000));
    expect(await driveVirtualTime(clock, late)).toMatchObject({ level: 'local', peers: ['west'] });
    up.sent(entry, 'north', false);
    expect(await up.reached(STAMP, all(60_000))).toMatchObject({ level: 'local', peers: ['west'] });
  });

  it('is queued with any one, where no more was asked for', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock, links: linksOf() });
    const entry = entryOf(STAMP, ['west', 'north']);
    acknowledgements.committed(entry);
    const waiting = acknowledgements.reached(STAMP, any(60_000));
    acknowledgements.sent(entry, 'north', true);
    expect(await waiting).toMatchObject({ level: 'queued', peers: ['north'] });
    expect(clock.nowMs()).toBe(0);
  });
});
