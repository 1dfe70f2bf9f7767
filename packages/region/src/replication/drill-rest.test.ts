import { type DrillOrder, type Lease, TransientError } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { recordLog } from '../testing/record-log.ts';
import { createDrillRest, releaseLeases, restDuringDrill } from './drill-rest.ts';
import type { Duty } from './duties/run-duties.ts';

const NOW_MS = Date.UTC(2026, 10, 22);

function setUp() {
  const clock = createVirtualClock(NOW_MS);
  const { logger, lines } = recordLog();
  let order: DrillOrder | undefined;
  let isTableDown = false;
  const rest = createDrillRest({
    clock,
    logger,
    drill: {
      read: async () => {
        if (isTableDown) throw new TransientError('TABLE_UNAVAILABLE', 'down');
        return order;
      },
    },
  });
  let turns = 0;
  const duty: Duty = {
    name: 'receive',
    intervalMs: () => 0,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: undefined,
    turn: async () => void (turns += 1),
  };
  const resting = restDuringDrill(duty, { rest, clock });
  return {
    clock,
    rest,
    lines,
    turn: () => driveVirtualTime(clock, resting.turn(new AbortController().signal)),
    turns: () => turns,
    order: (next: DrillOrder | undefined) => void (order = next),
    takeTableDown: () => void (isTableDown = true),
  };
}

test('a duty rests while its region is out, and goes on when the drill is ended', async () => {
  const { rest, turn, turns, order, lines } = setUp();
  await turn();
  expect(turns()).toBe(1);
  order({ id: 'a', untilMs: NOW_MS + 60_000 });
  // However often it looks, it says so once.
  for (let nth = 0; nth < 2; nth += 1) await rest.look();
  await turn();
  expect(turns()).toBe(1);
  order(undefined);
  for (let nth = 0; nth < 2; nth += 1) await rest.look();
  await turn();
  expect(turns()).toBe(2);
  expect(lines.map(({ event }) => event)).toEqual(['drill-begun', 'drill-ended']);
});

test('a drill ends in time although the table cannot be read any more', async () => {
  const { rest, clock, order, takeTableDown } = setUp();
  order({ id: 'a', untilMs: NOW_MS + 60_000 });
  await rest.look();
  takeTableDown();
  await expect(rest.look()).rejects.toThrow('down');
  expect(rest.isOut()).toBe(true);
  await clock.advance(60_000);
  expect(rest.isOut()).toBe(false);
});

test('leases are released one after the other, until the table does not answer', async () => {
  const released: string[] = [];
  const leaseOf = (name: string, error?: Error): Lease => ({
    acquire: async () => true,
    release: async () => {
      released.push(name);
      if (error !== undefined) throw error;
    },
  });
  const { logger, lines } = recordLog();
  await releaseLeases([leaseOf('sweep'), leaseOf('rows')], logger);
  expect([released, lines]).toEqual([['sweep', 'rows'], []]);
  const down = new TransientError('TABLE_UNAVAILABLE', 'down');
  await releaseLeases([leaseOf('down', down), leaseOf('left')], logger);
  expect(released).toEqual(['sweep', 'rows', 'down']);
  expect(lines.map(({ event }) => event)).toEqual(['lease-not-released']);
  const bug = new Error('a bug');
  await expect(releaseLeases([leaseOf('bug', bug)], logger)).rejects.toBe(bug);
});
