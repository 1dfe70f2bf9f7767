import { describe, expect, test } from 'vitest';
import { isOutForDrill } from '../model/drill-order.ts';
import type { DrillSwitch } from '../ports/drill.ts';
import {
  createDrillWorld,
  type DrillWorld,
  PROBING,
  WORLD_START_MS,
} from '../testing/drill-world.ts';
import { type DrillOptions, settlingMs } from './run-drill.ts';

describe('a drill', () => {
  test.each([
    ['the region is not ready', { east: false }, 'east is not ready'],
    ['nobody would be left', { west: false }, 'No other region is ready'],
  ])('is refused when %s', async (_, ready, message) => {
    const world = createDrillWorld({ ready });
    await expect(world.run()).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining(message),
    });
    expect(world.order()).toBeUndefined();
  });

  test('is refused when the requests of its client fail before it begins', async () => {
    const world = createDrillWorld();
    const failed = async () => ({ kind: 'failed' }) as const;
    const client = { ...world.options.client, write: failed };
    await expect(world.run({ client })).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('TANDEM_TOKEN'),
    });
    expect(world.order()).toBeUndefined();
  });

  test('is refused while someone else drills the region', async () => {
    const world = createDrillWorld();
    await world.options.drill.begin({ id: 'other', untilMs: WORLD_START_MS + 100 }, WORLD_START_MS);
    await expect(world.run()).rejects.toMatchObject({ code: 'DRILL_REFUSED' });
    expect(world.order()).toMatchObject({ id: 'other' });
    // Or begins to while this one looks around.
    const other = createDrillWorld();
    const drill: DrillSwitch = { ...other.options.drill, begin: async () => 'taken' };
    await expect(other.run({ drill })).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('Someone else drills east'),
    });
    expect(other.removed()).toBe(true);
  });

  test('B9: waits until whoever sends clients has settled, and then measures', async () => {
    const world = createDrillWorld({ settled: (passedMs) => passedMs > 5_000 });
    const phases: [string, number][] = [];
    const onPhase: DrillOptions['onPhase'] = (phase) => phases.push([phase, world.clock.nowMs()]);
    expect(await world.run({ onPhase })).toMatchObject({ isWithinBounds: true });
    const beganMs = phases.find(([phase]) => phase === 'before')?.[1] ?? 0;
    expect(beganMs - WORLD_START_MS).toBeGreaterThan(5_000);
    expect(beganMs - WORLD_START_MS).toBeLessThan(7_000);
    expect(phases[0]?.[0]).toBe('settling');
  });

  test('B9: is refused where that does not settle', async () => {
    const world = createDrillWorld({ settled: () => false });
    await expect(world.run()).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('has not settled'),
    });
    expect(world.order()).toBeUndefined();
    const passedMs = world.clock.nowMs() - WORLD_START_MS;
    expect(passedMs).toBeGreaterThan(4 * settlingMs(PROBING));
    expect(passedMs).toBeLessThan(4 * settlingMs(PROBING) + 3_000);
  });

  test.each([
    ['another region', 'westReady'],
    ['the region itself', 'eastReady'],
  ])(
    'B9: where nobody can tell, %s must have been ready for as long as that takes',
    async (_, which) => {
      expect(settlingMs(PROBING)).toBe(2_900);
      // It says so at first, flaps, and stays.
      const flaps = (passedMs: number): boolean => passedMs < 1_500 || passedMs > 3_500;
      const world = createDrillWorld({ settled: () => undefined, [which]: flaps });
      expect(await world.run()).toMatchObject({ unsettled: [] });
      const begunMs = world.orders[0]!.atMs - WORLD_START_MS;
      expect(begunMs).toBeGreaterThanOrEqual(3_000 + settlingMs(PROBING));
      expect(begunMs).toBeLessThan(3_000 + settlingMs(PROBING) + 3_000);
    },
  );

  test('B9: settles, or is given up, on the look at which its time is over', async () => {
    const probing = { ...PROBING, timeoutMs: 1_000 };
    expect(settlingMs(probing)).toBe(3_000);
    const looksOf = (world: DrillWorld): readonly number[] =>
      world.looks.flatMap(({ region, phase, atMs }) =>
        region === 'west' && ['', 'settling'].includes(phase) ? [atMs] : [],
      );
    const told = createDrillWorld({ probing, settled: () => undefined });
    await told.run();
    expect(looksOf(told)).toEqual([0, 0, 1_000, 2_000, 3_000]);
    const never = createDrillWorld({ probing, settled: () => false });
    await expect(never.run()).rejects.toMatchObject({ code: 'DRILL_REFUSED' });
    expect(looksOf(never).at(-1)).toBe(4 * settlingMs(probing));
  });

  test('B9: is not waited for once the operator stops it', async () => {
    const world = createDrillWorld({ settled: () => false });
    const stop = new AbortController();
    const run = world.run({ signal: stop.signal, onPhase: () => stop.abort() });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(world.clock.nowMs()).toBe(WORLD_START_MS);
    expect(world.orders).toEqual([]);
  });

  test('B9: names a region that was not ready all the while that clients were leaving', async () => {
    const westReady = (passedMs: number): boolean => passedMs < 1_000 || passedMs > 2_500;
    expect(await createDrillWorld({ westReady }).run()).toMatchObject({ unsettled: ['west'] });
    expect(await createDrillWorld().run()).toMatchObject({ unsettled: [] });
  });

  test('is refused when clients take twice as long to leave as they may at worst', async () => {
    const told = { intervalMs: 100, timeoutMs: 100, toleratedFailures: 1, ttlMs: 600 };
    await expect(createDrillWorld().run({ probing: told })).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('had not left east after 1800 ms'),
    });
  });

  test('is refused when traffic goes to another region, and when it does not leave', async () => {
    const elsewhere = createDrillWorld();
    const read = async () =>
      ({ kind: 'answered', region: 'west', version: new Map(), count: 0 }) as const;
    const asked = { ...elsewhere.options.client, read, write: read };
    await expect(elsewhere.run({ client: asked })).rejects.toMatchObject({
      code: 'DRILL_REFUSED',
      message: expect.stringContaining('Traffic goes to west'),
    });
    expect(elsewhere.order()).toBeUndefined();
    const stuck = createDrillWorld();
    const stays = async () =>
      ({ kind: 'answered', region: 'east', version: new Map(), count: 0 }) as const;
    const client = { ...stuck.options.client, read: stays, write: stays };
    await expect(stuck.run({ client })).rejects.toMatchObject({
      message: expect.stringContaining('had not left east after 9800 ms'),
    });
    expect(isOutForDrill(stuck.order(), stuck.clock.nowMs())).toBe(false);
    expect(stuck.removed()).toBe(true);
  });
});
