import { TransientError } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import { createRegionReadiness, type RegionReadinessOptions } from './region-readiness.ts';

const NOW_MS = 1_000_000;
const SETTINGS = {
  lagMsMax: 15_000,
  waitMsMax: 600_000,
  heartbeatMsMax: 15_000,
  driftMsMax: 60_000,
};
const PEER = { peer: 'west', passedMs: NOW_MS - 1_000, isReachable: true };
const CAUGHT_UP = {
  heartbeatMs: NOW_MS,
  catchingUpSinceMs: undefined,
  hasBacklog: false,
  peers: [PEER],
};

function createProbe(overrides: Partial<RegionReadinessOptions> = {}) {
  const clock = createVirtualClock(NOW_MS);
  const events: string[] = [];
  const log = ({ event }: { readonly event: string }): void => void events.push(event);
  const probe = createRegionReadiness({
    probeTable: async () => undefined,
    status: { read: async () => CAUGHT_UP },
    drill: { read: async () => undefined },
    hold: { read: async () => undefined },
    hasPeers: true,
    settings: () => SETTINGS,
    clock,
    logger: { debug: log, info: log, warn: log, error: log },
    ...overrides,
  });
  return { probe, clock, events };
}

describe('readiness of the region', () => {
  it('is ready when the table answers and the region has caught up', async () => {
    const { probe } = createProbe();
    expect(await probe()).toEqual({ kind: 'ready', notes: [] });
  });

  it('I14: is not ready while the region is behind a peer', async () => {
    const peers = [{ ...PEER, passedMs: NOW_MS - 60_000 }];
    const progress = { ...CAUGHT_UP, peers, catchingUpSinceMs: NOW_MS - 60_000 };
    const { probe } = createProbe({ status: { read: async () => progress } });
    expect(await probe()).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: 'behind', peer: 'west', lagMs: 60_000 }],
    });
  });

  it('I14: is not ready on the word of a replicator that spoke before this process began', async () => {
    const progress = { ...CAUGHT_UP, heartbeatMs: NOW_MS - 1 };
    const { probe } = createProbe({ status: { read: async () => progress } });
    expect(await probe()).toMatchObject({ reasons: [{ kind: 'replicator-not-heard' }] });
  });

  it('A3: hears of several replicators those whose clock is right, and no other', async () => {
    const ahead = { ...CAUGHT_UP, heartbeatMs: NOW_MS + 365 * 86_400_000 };
    let progress = CAUGHT_UP;
    const { probe, clock } = createProbe({ status: { read: async () => progress } });
    expect(await probe()).toMatchObject({ kind: 'ready' });
    progress = ahead;
    expect(await probe()).toMatchObject({ kind: 'ready' });
    await clock.advance(SETTINGS.heartbeatMsMax + 1);
    expect(await probe()).toMatchObject({ reasons: [{ kind: 'replicator-not-heard' }] });
  });

  it('A3: begun by a clock that was ahead, hears the replicator once that is set right', async () => {
    let aheadMs = 365 * 86_400_000;
    const virtual = createVirtualClock(NOW_MS);
    const clock = { ...virtual, nowMs: () => virtual.nowMs() + aheadMs };
    const { probe } = createProbe({ clock });
    aheadMs = 0;
    expect(await probe()).toMatchObject({ kind: 'ready' });
  });

  it('I14: is not ready when no replicator was ever heard', async () => {
    const { probe } = createProbe({ status: { read: async () => undefined } });
    expect(await probe()).toMatchObject({ kind: 'not-ready' });
  });

  it('I14: is not ready while it is held, whatever else it is', async () => {
    const held = { reason: 'is rebuilt', sinceMs: 0 };
    const { probe } = createProbe({ hold: { read: async () => held } });
    expect(await probe()).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: 'held', why: 'is rebuilt' }],
    });
  });

  it('is not ready while it is out for a drill, whatever else it is', async () => {
    const untilMs = NOW_MS + 60_000;
    const { probe } = createProbe({ drill: { read: async () => ({ id: 'a', untilMs }) } });
    expect(await probe()).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: 'out-for-drill', untilMs }],
    });
  });

  it('asks for no replicator where there are no peers', async () => {
    const { probe } = createProbe({ status: { read: async () => undefined }, hasPeers: false });
    expect(await probe()).toMatchObject({ kind: 'ready' });
  });

  it('is not ready, for this one reason, while the table fails', async () => {
    const { probe, events } = createProbe({
      probeTable: async () => {
        throw new TransientError('TABLE_UNAVAILABLE', 'down');
      },
    });
    expect(await probe()).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: 'store-not-answering' }],
    });
    expect(events).toEqual(['store-not-answering']);
  });

  it('answers within 3 s when the table says nothing at all', async () => {
    const { probe, clock, events } = createProbe({
      probeTable: () => new Promise(() => undefined),
    });
    const readiness = await driveVirtualTime(clock, probe());
    expect(clock.nowMs() - NOW_MS).toBe(3_000);
    expect(readiness).toEqual({ kind: 'not-ready', reasons: [{ kind: 'store-not-answering' }] });
    expect(events).toEqual(['store-silent']);
  });

  it('answers from what it saw last when the table is slow, and not from what is too old', async () => {
    let isSilent = false;
    const { probe, clock } = createProbe({
      probeTable: () => (isSilent ? new Promise(() => undefined) : Promise.resolve()),
    });
    expect(await probe()).toMatchObject({ kind: 'ready' });
    isSilent = true;
    expect(await driveVirtualTime(clock, probe())).toMatchObject({ kind: 'ready' });
    expect(clock.nowMs() - NOW_MS).toBe(500);
    await driveVirtualTime(clock, clock.sleep(5_001));
    const silentMs = clock.nowMs();
    expect(await driveVirtualTime(clock, probe())).toMatchObject({
      reasons: [{ kind: 'store-not-answering' }],
    });
    expect(clock.nowMs() - silentMs).toBeLessThanOrEqual(3_000);
  });

  it('I14: does not call ready, on what it saw last, a replicator that is silent for too long', async () => {
    let isSilent = false;
    const settings = { ...SETTINGS, heartbeatMsMax: 1_000, driftMsMax: 60_000 };
    const { probe, clock } = createProbe({
      probeTable: () => (isSilent ? new Promise(() => undefined) : Promise.resolve()),
      settings: () => settings,
    });
    expect(await probe()).toMatchObject({ kind: 'ready' });
    isSilent = true;
    await driveVirtualTime(clock, clock.sleep(1_000));
    expect(await driveVirtualTime(clock, probe())).toMatchObject({
      reasons: [{ kind: 'replicator-not-heard' }],
    });
  });

  it('looks at the table once for probes that arrive together, and again for later ones', async () => {
    let looks = 0;
    const { probe } = createProbe({ probeTable: async () => void (looks += 1) });
    await Promise.all([probe(), probe(), probe()]);
    expect(looks).toBe(1);
    await probe();
    expect(looks).toBe(2);
  });
});
