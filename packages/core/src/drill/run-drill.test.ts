import { describe, expect, test } from 'vitest';
import { driveVirtualTime } from '../memory/drive-virtual-time.ts';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { DrillAnswer, DrillClient } from '../ports/drill-client.ts';
import type { VersionVector } from '../state/version-vector.ts';
import type { DrillSwitch } from '../ports/drill-switch.ts';
import { formatStamp } from '../time/stamp.ts';
import { type DrillOrder, isOutForDrill } from './drill-order.ts';
import { type DrillOptions, runDrill, settlingMs } from './run-drill.ts';

const PROBING = { intervalMs: 1_000, timeoutMs: 900, toleratedFailures: 2, ttlMs: 1_000 };
const ANSWER_MS = 5;

interface World {
  /** How long the region still catches up once the drill is over. */
  readonly catchUpMs?: number;
  /** Whether readiness waits for that. */
  readonly hasGate?: boolean;
  readonly ready?: Readonly<Record<string, boolean>>;
  readonly failsBack?: boolean;
  /** What the traffic manager says, so long after the beginning; undefined where it says nothing. */
  readonly settled?: (passedMs: number) => boolean | undefined;
  /** When west is ready, so long after the beginning; all the time without. */
  readonly westReady?: (passedMs: number) => boolean;
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
      region === 'east'
        ? isEastReady(virtual.nowMs())
        : (world.westReady?.(virtual.nowMs() - 1_000_000) ?? ready['west'] ?? true),
    others: ['west'],
    isSettled: async () =>
      world.settled === undefined ? true : world.settled(virtual.nowMs() - 1_000_000),
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

  test('B9: waits until whoever sends clients has settled, and then measures', async () => {
    const world = createWorld({ settled: (passedMs) => passedMs > 5_000 });
    const phases: [string, number][] = [];
    const onPhase: DrillOptions['onPhase'] = (phase) => phases.push([phase, world.clock.nowMs()]);
    const run = runDrill({ ...world.options, onPhase });
    expect(await driveVirtualTime(world.clock, run)).toMatchObject({ isWithinBounds: true });
    const beganMs = phases.find(([phase]) => phase === 'before')?.[1] ?? 0;
    expect(beganMs - 1_000_000).toBeGreaterThan(5_000);
    expect(beganMs - 1_000_000).toBeLessThan(7_000);
    expect(phases[0]?.[0]).toBe('settling');
  });

  test('B9: is refused where that does not settle', async () => {
    const world = createWorld({ settled: () => false });
    await expect(world.run()).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('has not settled'),
    });
    expect(world.order()).toBeUndefined();
    const passedMs = world.clock.nowMs() - 1_000_000;
    expect(passedMs).toBeGreaterThan(4 * settlingMs(PROBING));
    expect(passedMs).toBeLessThan(4 * settlingMs(PROBING) + 3_000);
  });

  test('B9: where nobody can tell, another region must have been ready for as long as that takes', async () => {
    const settleMs = settlingMs(PROBING);
    expect(settleMs).toBe(2_900);
    // It says so at first, flaps, and stays.
    const westReady = (passedMs: number): boolean => passedMs < 1_500 || passedMs > 3_500;
    const world = createWorld({ settled: () => undefined, westReady });
    let begunMs = 0;
    const { begin } = world.options.drill;
    const drill: DrillSwitch = {
      ...world.options.drill,
      begin: (order, nowMs) => {
        begunMs = world.clock.nowMs() - 1_000_000;
        return begin(order, nowMs);
      },
    };
    const run = runDrill({ ...world.options, drill });
    expect(await driveVirtualTime(world.clock, run)).toMatchObject({ unsettled: [] });
    expect(begunMs).toBeGreaterThanOrEqual(3_000 + settleMs);
    expect(begunMs).toBeLessThan(3_000 + settleMs + 3_000);
  });

  test('B9: names a region that was not ready all the while that clients were leaving', async () => {
    const westReady = (passedMs: number): boolean => passedMs < 1_000 || passedMs > 2_500;
    expect(await createWorld({ westReady }).run()).toMatchObject({ unsettled: ['west'] });
    expect(await createWorld({}).run()).toMatchObject({ unsettled: [] });
  });

  test('is not within its bounds when clients leave too soon, or too late', async () => {
    const world = createWorld({});
    const bounds = { soonestMs: 2_000, worstMs: 4_900 };
    const measured = (await world.run()) as { failOverMs: number };
    expect(measured.failOverMs).toBeGreaterThanOrEqual(bounds.soonestMs);
    expect(measured.failOverMs).toBeLessThanOrEqual(bounds.worstMs);
    for (const [told, isWithinBounds] of [
      [{ ...PROBING, toleratedFailures: 2 }, true],
      // Whoever said that it takes longer, or less, is told that it does not.
      [{ ...PROBING, toleratedFailures: 9 }, false],
      [{ intervalMs: 100, timeoutMs: 100, toleratedFailures: 1, ttlMs: 600 }, false],
    ] as const) {
      const { options, clock } = createWorld({});
      const run = runDrill({ ...options, probing: told });
      const outcome = await driveVirtualTime(
        clock,
        run.catch((error: unknown) => error),
      );
      // One that takes too long is refused once twice the worst has passed.
      const isWithin = 'isWithinBounds' in (outcome as object);
      expect(isWithin && (outcome as { isWithinBounds: boolean }).isWithinBounds).toBe(
        isWithinBounds,
      );
    }
  });

  test('is refused when traffic goes to another region, and when it does not leave', async () => {
    const elsewhere = createWorld({});
    const read = async () =>
      ({ kind: 'answered', region: 'west', version: new Map(), count: 0 }) as const;
    const asked = {
      ...elsewhere.options,
      client: { ...elsewhere.options.client, read, write: read },
    };
    await expect(driveVirtualTime(elsewhere.clock, runDrill(asked))).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('Traffic goes to west'),
    });
    expect(elsewhere.order()).toBeUndefined();
    const stuck = createWorld({});
    const stays = async () =>
      ({ kind: 'answered', region: 'east', version: new Map(), count: 0 }) as const;
    const options = {
      ...stuck.options,
      client: { ...stuck.options.client, read: stays, write: stays },
    };
    await expect(driveVirtualTime(stuck.clock, runDrill(options))).rejects.toMatchObject({
      message: expect.stringContaining('had not left east after 9800 ms'),
    });
    expect(isOutForDrill(stuck.order(), stuck.clock.nowMs())).toBe(false);
    expect(stuck.removed()).toBe(true);
  });

  test('writes no more once clients are back, and reads on for a while', async () => {
    const world = createWorld({ catchUpMs: 1_000 });
    const asked: { readonly kind: string; readonly phase: string }[] = [];
    let phase = '';
    const { client } = world.options;
    const listening: DrillClient = {
      ...client,
      read: (least) => {
        asked.push({ kind: 'read', phase });
        return client.read(least);
      },
      write: (count, least) => {
        asked.push({ kind: 'write', phase });
        return client.write(count, least);
      },
    };
    const onPhase: DrillOptions['onPhase'] = (now) => void (phase = now);
    const run = runDrill({ ...world.options, client: listening, onPhase });
    await driveVirtualTime(world.clock, run);
    const after = asked.filter((one) => one.phase === 'after');
    expect(after.length).toBeGreaterThan(10);
    expect(after.map(({ kind }) => kind)).not.toContain('write');
    for (const busy of ['before', 'leaving', 'away', 'returning']) {
      expect(
        asked.filter((one) => one.phase === busy && one.kind === 'write').length,
      ).toBeGreaterThan(0);
    }
  });

  test('tells the version that it has seen when it is to', async () => {
    const world = createWorld({});
    const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
    const version = new Map([['east', stamp]]);
    const told: (VersionVector | undefined)[] = [];
    const { client } = world.options;
    const listening: DrillClient = {
      ...client,
      read: async (least) => {
        told.push(least);
        const answer = await client.read(least);
        return answer.kind === 'answered' ? { ...answer, version } : answer;
      },
    };
    for (const carriesVersion of [true, false]) {
      told.length = 0;
      const options = { ...world.options, client: listening, carriesVersion };
      await driveVirtualTime(world.clock, runDrill(options));
      expect(told[0]).toBeUndefined();
      expect(told.at(-1)).toEqual(carriesVersion ? version : undefined);
    }
  });
});
