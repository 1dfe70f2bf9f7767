import { TransientError } from '@tandem/core';
import { createTableReplicationStatus } from '@tandem/storage';
import { expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const SOAK_MS = 60_000;
const GATE = ['--json', 'gate', '--soak', '60s', '--every', '5s', '--within', '5m'] as const;

/** Regions whose replicators have caught up and go on beating, but for those that the test holds. */
async function createBeating(): Promise<
  CliHarness & { silent: Set<string>; passedMs: () => number }
> {
  const harness = await createCliHarness();
  const { regions } = harness;
  const silent = new Set<string>();
  const startMs = regions.clock.nowMs();
  const beat = async (): Promise<void> => {
    const nowMs = regions.clock.nowMs();
    for (const [own, peer] of [
      ['east', 'west'],
      ['west', 'east'],
    ] as const) {
      if (silent.has(own)) continue;
      const peers = [{ peer, passedMs: nowMs, isReachable: true }];
      const status = createTableReplicationStatus(regions[own]);
      await status.beat({ nowMs, catchingUpSinceMs: undefined, hasBacklog: false, peers });
    }
  };
  await beat();
  const runWith: CliHarness['runWith'] = (io, ...args) =>
    harness.runWith(
      {
        ...io,
        clock: {
          ...regions.clock,
          nowMs: () => regions.clock.nowMs(),
          async sleep(ms, signal) {
            await regions.clock.sleep(ms, signal);
            await beat();
          },
        },
      },
      ...args,
    );
  return { ...harness, runWith, silent, passedMs: () => regions.clock.nowMs() - startMs };
}

const counts =
  (deadLettered: (connection: string) => number): NonNullable<Io['countMessages']> =>
  async ({ connection }) => ({ waiting: 0, deadLettered: deadLettered(connection) });

test('lets go on once all regions were well for the time, and are equal', async () => {
  const { runWith, passedMs } = await createBeating();
  const { code, json, err } = await runWith({ countMessages: counts(() => 7) }, ...GATE);
  expect({ code, json }).toMatchObject({ code: 0, json: { passed: true, lastBreak: null } });
  expect(json['wellMs']).toBeGreaterThanOrEqual(SOAK_MS);
  expect(passedMs()).toBeGreaterThanOrEqual(SOAK_MS);
  expect(err).toContain('they must be so for 1m');
});

test('begins the time anew when a region falls silent in it', async () => {
  const { runWith, silent, passedMs } = await createBeating();
  // Its heartbeat counts as heard for some seconds more.
  const countMessages = counts(() => {
    const isAway = passedMs() >= 30_000 && passedMs() < 60_000;
    silent[isAway ? 'add' : 'delete']('west');
    return 0;
  });
  const { code, json } = await runWith({ countMessages }, ...GATE);
  expect({ code, json }).toMatchObject({
    code: 0,
    json: { lastBreak: { reasons: [expect.stringContaining('west: its replicator is silent')] } },
  });
  expect(passedMs()).toBeGreaterThan(60_000 + SOAK_MS);
});

test('gives up when they are never well for so long, and says what was wrong last', async () => {
  const { runWith, silent } = await createBeating();
  silent.add('east');
  const { code, json, err } = await runWith({ countMessages: counts(() => 0) }, ...GATE);
  expect({ code, passed: json['passed'] }).toEqual({ code: 3, passed: false });
  expect(err).toContain('Stop: not well for 1m within 5m: east: its replicator is silent');
});

test('stops at once at a dead letter that was not there when it began', async () => {
  const { runWith, passedMs } = await createBeating();
  const countMessages = counts((connection) =>
    connection.startsWith('west') && passedMs() > 10_000 ? 1 : 0,
  );
  const { code, err } = await runWith({ countMessages }, ...GATE);
  expect(code).toBe(3);
  expect(err).toContain('west has 1 more dead letters than when this began');
  expect(passedMs()).toBeLessThan(20_000);
});

test('takes what it cannot count for no zero, unless it is told that nobody can', async () => {
  const countMessages = async () => {
    throw new TransientError('BUS_UNAVAILABLE', 'down');
  };
  const blind = await createBeating();
  const refused = await blind.runWith({ countMessages }, ...GATE);
  expect({ code: refused.code, told: refused.err }).toMatchObject({
    code: 3,
    told: expect.stringContaining('east: how many dead letters it has is not known'),
  });
  const told = await createBeating();
  expect((await told.runWith({ countMessages }, ...GATE, '--no-queues')).code).toBe(0);
});

test('stops at regions that are well and not equal', async () => {
  const { runWith, regions } = await createBeating();
  await regions.east.table.put(ID, { email: 'a@example.com' });
  const { code, json, err } = await runWith(
    { countMessages: counts(() => 0) },
    ...GATE,
    '--rechecks',
    '0',
  );
  expect({ code, passed: json['passed'] }).toEqual({ code: 3, passed: false });
  expect(err).toContain('Stop: Customers: 1 rows and conflicts differ');
});
