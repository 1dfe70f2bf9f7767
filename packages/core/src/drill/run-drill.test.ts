import { describe, expect, test } from 'vitest';
import { driveVirtualTime } from '../memory/drive-virtual-time.ts';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { DrillAnswer, DrillClient } from '../ports/drill-client.ts';
import type { VersionVector } from '../state/version-vector.ts';
import type { DrillSwitch } from '../ports/drill-switch.ts';
import { type DrillOrder, isOutForDrill } from './drill-order.ts';
import { type DrillOptions, runDrill } from './run-drill.ts';

const PROBING = { intervalMs: 1_000, timeoutMs: 900, toleratedFailures: 2, ttlMs: 1_000 };
const ANSWER_MS = 5;

interface World {
  /** How long the region still catches up once the drill is over. */
  readonly catchUpMs?: number;
  /** Whether readiness waits for that. */
  readonly hasGate?: boolean;
  readonly ready?: Readonly<Record<string, boolean>>;
  readonly failsBack?: boolean;
  /** The clock of the operator, before that of the region. */
  readonly operatorAheadMs?: number;
}

/** Two regions behind a traffic manager, all of it virtual. */
function createWorld({ catchUpMs = 0, hasGate = true, ready = {}, ...world }: World): {
  readonly options: DrillOptions;
  readonly clock: VirtualClock;
  order(): DrillOrder | undefined;
  removed(): boolean;
  run(): Promise<unknown>;
} {
  const { failsBack = true, operatorAheadMs = 0 } = world;
  const virtual = createVirtualClock(1_000_000);
  let order: DrillOrder | undefined;
  let isRemoved = false;
  const rows = { east: 0, west: 0 };
  let failures = 0;
  let current: 'east' | 'west' = 'east';
  let resolved: { region: 'east' | 'west'; untilMs: number } = { region: 'east', untilMs: 0 };
  let nextProbeMs = virtual.nowMs();

  const isOut = (atMs: number) => isOutForDrill(order, atMs);
  const isCaughtUp = (atMs: number) => order === undefined || atMs >= order.untilMs + catchUpMs;
  const isEastReady = (atMs: number) =>
    (ready['east'] ?? true) && !isOut(atMs) && (!hasGate || isCaughtUp(atMs));
  const turn = (): void => {
    for (; nextProbeMs <= virtual.nowMs(); nextProbeMs += PROBING.intervalMs) {
      const ok = isEastReady(nextProbeMs) && (failsBack || order === undefined);
      failures = ok ? 0 : failures + 1;
      if (ok) current = 'east';
      else if (failures > PROBING.toleratedFailures) current = 'west';
    }
    const now = virtual.nowMs();
    if (now >= resolved.untilMs) resolved = { region: current, untilMs: now + PROBING.ttlMs };
    // West's writes arrive in east when it has caught up, and east's in west at once.
    if (!isOut(now) && isCaughtUp(now)) rows.east = Math.max(rows.east, rows.west);
    rows.west = Math.max(rows.west, rows.east);
  };
  const answer = (count: number): DrillAnswer => ({
    kind: 'answered',
    region: resolved.region,
    version: new Map(),
    count,
  });
  const client: DrillClient = {
    async write(count) {
      await virtual.sleep(ANSWER_MS);
      turn();
      rows[resolved.region] = count;
      return answer(count);
    },
    async read() {
      await virtual.sleep(ANSWER_MS);
      turn();
      return answer(rows[resolved.region]);
    },
    remove: async () => void (isRemoved = true),
  };
  const drill: DrillSwitch = {
    read: async () => order,
    async begin(next, nowMs) {
      if (isOutForDrill(order, nowMs)) return 'taken';
      order = next;
      return 'begun';
    },
    async end(id, nowMs) {
      if (order?.id === id) order = { id, untilMs: Math.min(order.untilMs, nowMs) };
    },
  };
  const options: DrillOptions = {
    region: 'east',
    probing: PROBING,
    drill,
    client,
    isReady: async (region) =>
      region === 'east' ? isEastReady(virtual.nowMs()) : (ready['west'] ?? true),
    others: ['west'],
    clock: { ...virtual, nowMs: () => virtual.nowMs() + operatorAheadMs },
    regionAheadMs: -operatorAheadMs,
    randomness: { uuid: () => 'drill-1' },
    signal: new AbortController().signal,
    awayMs: 2_000,
    returnMsMax: 30_000,
    carriesVersion: false,
  };
  return {
    options,
    clock: virtual,
    order: () => order,
    removed: () => isRemoved,
    run: () => driveVirtualTime(virtual, runDrill(options)),
  };
}

describe('a drill', () => {
  test.each([-600_000, 600_000])(
    'ends in time although the operator’s clock is %i ms ahead',
    async (operatorAheadMs) => {
      const world = createWorld({ operatorAheadMs });
      expect(await world.run()).toMatchObject({
        isWithinBounds: true,
        failBackMs: expect.any(Number),
        counts: { stale: 0 },
      });
      expect(world.order()?.untilMs).toBeLessThanOrEqual(world.clock.nowMs());
    },
  );

  test('measures fail-over within the bounds, and fail-back without a stale read', async () => {
    const world = createWorld({ catchUpMs: 3_000 });
    const report = await world.run();
    expect(report).toMatchObject({
      region: 'east',
      successor: 'west',
      bounds: { soonestMs: 2_000, formulaMs: 3_000, worstMs: 4_900 },
      isWithinBounds: true,
      counts: { failed: 0, stale: 0, refused: 0 },
    });
    const { catchUpMs, failBackMs } = report as { catchUpMs: number; failBackMs: number };
    expect(catchUpMs).toBeGreaterThanOrEqual(3_000);
    expect(failBackMs).toBeGreaterThanOrEqual(catchUpMs);
    expect(world.removed()).toBe(true);
  });

  // Without it the check above could never fail.
  test('sees stale reads when the region takes traffic before it has caught up', async () => {
    const report = await createWorld({ catchUpMs: 20_000, hasGate: false }).run();
    expect((report as { counts: { stale: number } }).counts.stale).toBeGreaterThan(0);
  });

  test('says that the region did not come back in time, and leaves no order behind', async () => {
    const world = createWorld({ failsBack: false });
    expect(await world.run()).toMatchObject({ failBackMs: undefined });
    expect(isOutForDrill(world.order(), world.clock.nowMs())).toBe(false);
  });

  test.each([
    ['the region is not ready', { east: false }, 'east is not ready'],
    ['nobody would be left', { west: false }, 'No other region is ready'],
  ])('is refused when %s', async (_, ready, message) => {
    const world = createWorld({ ready });
    await expect(world.run()).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining(message),
    });
    expect(world.order()).toBeUndefined();
  });

  test('is refused when the requests of its client fail before it begins', async () => {
    const world = createWorld({});
    const failed = async () => ({ kind: 'failed' }) as const;
    const client = { ...world.options.client, write: failed };
    const run = runDrill({ ...world.options, client });
    await expect(driveVirtualTime(world.clock, run)).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('TANDEM_TOKEN'),
    });
    expect(world.order()).toBeUndefined();
  });

  test('never tells a version before it has seen one', async () => {
    const world = createWorld({});
    const told: (VersionVector | undefined)[] = [];
    const { client } = world.options;
    const listening: DrillClient = {
      ...client,
      read: (least) => {
        told.push(least);
        return client.read(least);
      },
    };
    const options = { ...world.options, client: listening, carriesVersion: true };
    await driveVirtualTime(world.clock, runDrill(options));
    expect(new Set(told)).toEqual(new Set([undefined]));
  });

  test('is refused while someone else drills the region', async () => {
    const world = createWorld({});
    await world.options.drill.begin({ id: 'other', untilMs: 1_000_000 + 100 }, 1_000_000);
    await expect(world.run()).rejects.toMatchObject({ code: 'DRILL_REFUSED' });
    expect(world.order()).toMatchObject({ id: 'other' });
  });

  test('ends the order when the operator stops it', async () => {
    const world = createWorld({});
    const stop = new AbortController();
    const { options, clock } = world;
    const onPhase: DrillOptions['onPhase'] = (phase) => {
      if (phase === 'away') stop.abort();
    };
    const run = runDrill({ ...options, signal: stop.signal, onPhase });
    const settled = run.catch((error: unknown) => error);
    void settled;
    await driveVirtualTime(world.clock, settled);
    expect(stop.signal.aborted).toBe(true);
    expect(isOutForDrill(world.order(), clock.nowMs())).toBe(false);
    expect(world.removed()).toBe(true);
  });
});
