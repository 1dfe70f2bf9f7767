import { describe, expect, test } from 'vitest';
import { DRILL_MS_MAX, isOutForDrill } from '../model/drill-order.ts';
import type { DrillClient } from '../ports/drill.ts';
import type { VersionVector } from '../state/version-vector.ts';
import { type Asked, createDrillWorld, PROBING, WORLD_START_MS } from '../testing/drill-world.ts';
import { formatStamp } from '../time/stamp.ts';
import type { ProbeSettings } from './predict-drill.ts';

describe('a drill', () => {
  test.each([-600_000, 600_000])(
    'ends in time although the operator’s clock is %i ms ahead',
    async (operatorAheadMs) => {
      const world = createDrillWorld({ operatorAheadMs });
      expect(await world.run()).toMatchObject({
        isWithinBounds: true,
        failBackMs: expect.any(Number),
        counts: { stale: 0 },
      });
      expect(world.order()?.untilMs).toBeLessThanOrEqual(world.clock.nowMs());
      // Twice as long as clients take to leave at worst, and what they are to stay away.
      expect(world.orders.map(({ untilMs, atMs }) => untilMs - atMs)).toEqual([2 * 4_900 + 2_000]);
      expect(world.ends.map(({ saidMs, atMs }) => saidMs - atMs)).toEqual([0, 0]);
    },
  );

  test('gives no order that runs longer than one may', async () => {
    const world = createDrillWorld();
    const stop = new AbortController();
    const run = world.run({
      awayMs: 2 * DRILL_MS_MAX,
      signal: stop.signal,
      onPhase: (phase) => phase === 'away' && stop.abort(),
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(world.orders.map(({ untilMs, atMs }) => untilMs - atMs)).toEqual([DRILL_MS_MAX]);
  });

  test('measures fail-over within the bounds, and fail-back without a stale read', async () => {
    const world = createDrillWorld({ catchUpMs: 3_000 });
    const report = await world.run();
    expect(report).toMatchObject({
      region: 'east',
      successor: 'west',
      bounds: { soonestMs: 2_000, formulaMs: 3_000, worstMs: 4_900 },
      isWithinBounds: true,
      counts: { failed: 0, stale: 0, refused: 0 },
    });
    const { catchUpMs = 0, failBackMs = 0 } = report;
    expect(catchUpMs).toBeGreaterThanOrEqual(3_000);
    // The first time that it was ready, to a turn of the client, and the first answer.
    expect(catchUpMs).toBeLessThan(3_200);
    expect(failBackMs).toBeGreaterThanOrEqual(catchUpMs);
    expect(failBackMs).toBeLessThan(3_000 + PROBING.intervalMs + PROBING.ttlMs + 200);
    expect(world.removed()).toBe(true);
  });

  // Without it the check above could never fail.

  test('sees stale reads when the region takes traffic before it has caught up', async () => {
    const report = await createDrillWorld({ catchUpMs: 20_000, hasGate: false }).run();
    expect(report.counts.stale).toBeGreaterThan(0);
  });

  test('says that the region did not come back in time, and leaves no order behind', async () => {
    const world = createDrillWorld({ failsBack: false });
    const report = await world.run();
    expect(report.failBackMs).toBeUndefined();
    expect(report.catchUpMs).toBeLessThan(200);
    expect(isOutForDrill(world.order(), world.clock.nowMs())).toBe(false);
    expect(world.asked.map(({ phase }) => phase)).not.toContain('after');
    const behind = await createDrillWorld({ catchUpMs: 600_000 }).run();
    expect([behind.failBackMs, behind.catchUpMs]).toEqual([undefined, undefined]);
  });

  test('never tells a version before it has seen one', async () => {
    const world = createDrillWorld();
    await world.run({ carriesVersion: true });
    expect(new Set(world.asked.map(({ version }) => version))).toEqual(new Set([undefined]));
  });

  test('ends the order when the operator stops it', async () => {
    const world = createDrillWorld();
    const stop = new AbortController();
    const run = world.run({
      signal: stop.signal,
      onPhase: (phase) => phase === 'away' && stop.abort(),
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(isOutForDrill(world.order(), world.clock.nowMs())).toBe(false);
    expect(world.removed()).toBe(true);
  });

  test('asks ten times before it begins, and away for as long as it is told to', async () => {
    const world = createDrillWorld({ answerMs: 0, catchUpMs: 3_000 });
    await world.run();
    const writesIn = (phase: string) =>
      world.asked.filter((one) => one.kind === 'write' && one.phase === phase).length;
    expect(writesIn('before')).toBe(5);
    // One each 50 ms.
    expect(writesIn('away')).toBe(40);
    expect(writesIn('leaving')).toBeGreaterThan(0);
    expect(writesIn('returning')).toBeGreaterThan(0);
  });

  test('writes no more once clients are back, and reads on for a while', async () => {
    const world = createDrillWorld({ catchUpMs: 1_000 });
    await world.run();
    const isOver = ({ phase }: Asked): boolean => phase === 'returning' || phase === 'after';
    const back = world.asked.filter((one) => isOver(one) && one.region === 'east');
    expect(back.map(({ kind }) => kind)).not.toContain('write');
    expect(back.filter(({ phase }) => phase === 'after').length).toBeGreaterThan(10);
  });

  test('is within its bounds to the millisecond, and two seconds beyond the worst', async () => {
    // So slow that twice the worst of what is told is not over before clients have left.
    const probing = { ...PROBING, intervalMs: 2_000, ttlMs: 2_000 };
    const drilled = (told: ProbeSettings) => createDrillWorld({ probing }).run({ probing: told });
    const { failOverMs, isWithinBounds } = await drilled(probing);
    expect(isWithinBounds).toBe(true);
    expect(failOverMs).toBeGreaterThan(4_000);
    const soonest = { intervalMs: failOverMs, timeoutMs: 100, toleratedFailures: 1, ttlMs: 0 };
    const worst = { intervalMs: 100, timeoutMs: 100, toleratedFailures: 1, ttlMs: 0 };
    for (const [told, expected] of [
      [soonest, true],
      [{ ...soonest, intervalMs: failOverMs + 1 }, false],
      [{ ...worst, ttlMs: failOverMs - 2_300 }, true],
      [{ ...worst, ttlMs: failOverMs - 2_301 }, false],
    ] as const) {
      expect(await drilled(told)).toMatchObject({ failOverMs, isWithinBounds: expected });
    }
  });

  test('looks once a second whether the others are ready while clients leave', async () => {
    const world = createDrillWorld({ answerMs: 0 });
    await world.run();
    const orderedMs = world.orders[0]!.atMs - WORLD_START_MS;
    const looks = world.looks.filter(({ region, atMs }) => region === 'west' && atMs >= orderedMs);
    expect(looks.length).toBeGreaterThan(1);
    expect(looks.map(({ atMs }) => atMs - orderedMs)).toEqual(looks.map((_, n) => n * 1_000));
  });

  test('tells the version that it has seen when it is to', async () => {
    const world = createDrillWorld();
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
      await world.run({ client: listening, carriesVersion });
      expect(told[0]).toBeUndefined();
      expect(told.at(-1)).toEqual(carriesVersion ? version : undefined);
    }
  });
});
