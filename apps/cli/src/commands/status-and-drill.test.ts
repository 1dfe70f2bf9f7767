import { TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  CONFIGURATION_TABLE,
  createTableDrillSwitch,
  createTableProof,
  createTableReplicationStatus,
  recordBucketCount,
} from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const IDS = [
  '00b479c9-f61f-451a-86d2-ee8cc047c181',
  '5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3',
] as const;

const counts = async () => ({ waiting: 3, deadLettered: 1 });

describe('tandem status', () => {
  test('says of every region and direction how it is, also as one line of JSON', async () => {
    const { regions, runWith } = await createCliHarness();
    await regions.east.table.put(IDS[0], { email: 'a@example.com' });
    await createTableProof({ store: regions.east.store }).keep({
      asOfMs: Date.UTC(2026, 0, 1),
      regions: ['east', 'west'],
    });
    const { json, code } = await runWith({ countMessages: counts }, '--json', 'status');
    const [east, west] = json['regions'] as Record<string, unknown>[];
    expect(east).toMatchObject({
      region: 'east',
      directions: [{ peer: 'west', owedChanges: 1, owedAgeMs: expect.any(Number) }],
      owedToAll: 1,
      inbound: { waiting: 3, deadLettered: 1 },
      conflicts: 0,
      provenEqualAsOfMs: Date.UTC(2026, 0, 1),
    });
    expect(west).toMatchObject({ region: 'west', owedToAll: 0, provenEqualAsOfMs: null });
    // Nothing beats here, so nobody may say that these regions are ready.
    expect(code).toBe(3);
    const { out } = await runWith({ countMessages: counts }, 'status');
    expect(out).toContain('its replicator was never heard');
    expect(out).toContain('2026-01-01T00:00:00.000Z');
  });

  test('shows the other regions when one does not answer, and the queue that does not', async () => {
    const { regions, runWith } = await createCliHarness();
    const down = async () => {
      throw new TransientError('TABLE_UNAVAILABLE', 'down');
    };
    const { json, code } = await runWith(
      {
        openStore: (connection) =>
          connection === 'memory:west' ? { ...regions.west.store, get: down } : regions.east.store,
        countMessages: async () => {
          throw new TransientError('BUS_UNAVAILABLE', 'down');
        },
      },
      '--json',
      'status',
    );
    expect(code).toBe(3);
    expect(json['regions']).toMatchObject([
      { region: 'east', inbound: { error: 'BUS_UNAVAILABLE' } },
      { region: 'west', ready: false, reasons: [{ kind: 'not-seen', code: 'TABLE_UNAVAILABLE' }] },
    ]);
  });

  test('names a drill that is under way', async () => {
    const { regions, runWith } = await createCliHarness();
    const nowMs = regions.clock.nowMs();
    const drill = createTableDrillSwitch({ store: regions.west.store });
    await drill.begin({ id: 'a', untilMs: nowMs + 600_000 }, nowMs);
    expect((await runWith({}, 'status')).out).toContain('out for a drill until');
  });
});

describe('tandem status, where an API is asked', () => {
  /** Both replicators have just caught up with each other. */
  async function createHeard(): Promise<CliHarness> {
    const harness = await createCliHarness();
    const { regions } = harness;
    const nowMs = regions.clock.nowMs();
    for (const [own, peer] of [
      ['east', 'west'],
      ['west', 'east'],
    ] as const) {
      await createTableReplicationStatus(regions[own]).beat({
        nowMs,
        catchingUpSinceMs: nowMs,
        hasBacklog: false,
        peers: [{ peer, passedMs: nowMs, isReachable: true }],
      });
    }
    return harness;
  }

  const withApi = (inventory: string): Record<string, string> => {
    const { regions, ...rest } = JSON.parse(inventory) as { regions: { name: string }[] };
    const apis = regions.map((region) => ({ ...region, api: `http://${region.name}.example` }));
    return { TANDEM_REGIONS: JSON.stringify({ ...rest, regions: apis }) };
  };

  test('takes for ready what its tables and its replicator call ready', async () => {
    const { run } = await createHeard();
    const { code, json } = await run('status');
    expect(code).toBe(0);
    expect(json['regions']).toMatchObject([
      { region: 'east', ready: true, api: null, inbound: null, directions: [{ peer: 'west' }] },
      { region: 'west', ready: true, api: null, inbound: null, directions: [{ peer: 'east' }] },
    ]);
  });

  test.each([
    [true, 'ready', 0],
    [false, 'unready', 3],
    [undefined, 'silent', 3],
  ])('asks the API of each region, which says %s', async (answer, api, code) => {
    const { inventory, runWith } = await createHeard();
    const asked: string[] = [];
    const readReadiness = async (url: string) => {
      asked.push(url);
      return url.includes('west') ? answer : true;
    };
    const io = { environment: withApi(inventory), readReadiness };
    const run = await runWith(io, '--json', 'status');
    expect(run.code).toBe(code);
    expect(run.json['regions']).toMatchObject([
      { region: 'east', ready: true, api: 'ready' },
      { region: 'west', ready: api === 'ready', api },
    ]);
    expect(asked.toSorted()).toEqual(['http://east.example', 'http://west.example']);
  });

  test.each([
    ['Readiness.HeartbeatMsMax', '5000', { kind: 'replicator-not-heard' }],
    ['Readiness.LagMsMax', '1000', { kind: 'behind', peer: 'east' }],
  ])('goes by the setting %s of the region', async (setting, value, reason) => {
    const { regions, run } = await createHeard();
    await regions.clock.advance(6_000);
    expect(await run('status')).toMatchObject({ code: 0 });
    await run('config', 'set', setting, value, '--region', 'west', '--apply');
    const { code, json } = await run('status');
    expect(code).toBe(3);
    expect(json['regions']).toMatchObject([{ ready: true }, { ready: false, reasons: [reason] }]);
  });

  test('counts nothing where nobody says where the queue is', async () => {
    const { regions, inventory, runWith } = await createHeard();
    await emptyTable(regions.west.store, CONFIGURATION_TABLE);
    await recordBucketCount(regions.west.store, customerKind, MEMORY_BUCKET_COUNT);
    const environment = { TANDEM_REGIONS: inventory.replaceAll(/,"serviceBus":"[^"]+"/g, '') };
    const { json } = await runWith({ environment, countMessages: counts }, '--json', 'status');
    expect(json['regions']).toMatchObject([{ inbound: { waiting: 3 } }, { inbound: null }]);
  });

  test('lets an error pass that no service gives: it is a bug of ours', async () => {
    const { regions, runWith } = await createHeard();
    regions.west.store.get = async () => {
      throw new Error('a bug');
    };
    await expect(runWith({}, 'status')).rejects.toThrow('a bug');
  });
});

describe('tandem drill', () => {
  test('says what would happen, and does nothing, unless it is told to do it for real', async () => {
    const { regions, runWith, run } = await createCliHarness();
    await regions.east.table.put(IDS[0], { email: 'a@example.com' });
    await regions.east.table.put(IDS[1], { email: 'b@example.com' });
    const { json, code } = await run('drill', '--region', 'east', '--tolerated-failures', '1');
    expect(code).toBe(3);
    expect(json).toMatchObject({
      forReal: false,
      prediction: {
        region: 'east',
        lostChanges: 2,
        delayedChanges: 0,
        failOver: { soonestMs: 10_000, formulaMs: 20_000, worstMs: 39_000 },
      },
    });
    const { out } = await runWith({}, 'drill', '--region', 'east');
    expect(out).toContain('40.0 s by the formula, 59.0 s at worst');
    expect(await createTableDrillSwitch({ store: regions.east.store }).read()).toBeUndefined();
  });

  test('I11: counts on full messages when it says how long what waits would take', async () => {
    const { regions, runWith } = await createCliHarness();
    await regions.settle();
    const countMessages = async () => ({ waiting: 1_000, deadLettered: 0 });
    const { json } = await runWith({ countMessages }, '--json', 'drill', '--region', 'east');
    // 100,000 change sets, where 2,000 a second are applied.
    expect(json).toMatchObject({ prediction: { successorWaiting: 1_000, drainMs: 50_000 } });
  });

  test.each([
    [['drill', '--region', 'north'], 'There is no region "north"'],
    [['drill', '--region', 'east', '--for-real'], 'Where do clients ask?'],
    [['drill'], '--region'],
  ])('is refused: %j', async (args, message) => {
    const { runWith } = await createCliHarness();
    const { code, err } = await runWith({}, ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('tandem drill --for-real', () => {
  afterEach(() => void vi.unstubAllGlobals());

  const AHEAD_MS = 90_000;
  /** Between 200 and 500 ms, where one probe may fail. */
  const PROBING = { intervalMs: 100, timeoutMs: 100, toleratedFailures: 1, ttlMs: 100 };

  interface FrontRequest {
    readonly method?: string;
    readonly body?: string;
  }

  interface Front {
    /** After the order, until clients are sent to west. */
    readonly leavesInMs: number;
    /** After its end, until they are sent to east again. */
    readonly returnsInMs: number;
    /** Whether west knows nothing of what is written. */
    readonly isStale: boolean;
    readonly online: readonly string[];
    /** Of virtual time, since when it sends clients to where it does. */
    readonly changedInMs: number;
    readonly hasApis: boolean;
  }

  /** East is drilled, whose clock is ahead; a front sends clients by what east is ordered. */
  async function createFront(given: Partial<Front> = {}) {
    const front = {
      leavesInMs: 300,
      returnsInMs: 300,
      isStale: false,
      online: ['east', 'west'],
      changedInMs: -60_000,
      hasApis: true,
      ...given,
    };
    const harness = await createCliHarness();
    const { regions, inventory, runWith } = harness;
    const { clock } = regions;
    const drill = createTableDrillSwitch({ store: regions.east.store });
    const startMs = clock.nowMs();
    const asked: string[] = [];
    const seen = { leaving: Infinity, returning: Infinity, untilMs: 0, written: 0 };
    const sentTo = async (): Promise<'east' | 'west'> => {
      const order = await drill.read();
      const nowMs = clock.nowMs();
      if (order !== undefined && order.untilMs > nowMs + AHEAD_MS) {
        seen.untilMs = order.untilMs;
        seen.leaving = Math.min(seen.leaving, nowMs + front.leavesInMs);
      } else if (seen.leaving < nowMs) {
        seen.returning = Math.min(seen.returning, nowMs + front.returnsInMs);
      }
      return nowMs >= seen.leaving && nowMs < seen.returning ? 'west' : 'east';
    };
    vi.stubGlobal('fetch', async (url: string, asking: FrontRequest = {}) => {
      const { method, body = '' } = asking;
      asked.push(url);
      if (url.endsWith('/_traffic-manager/status')) {
        return Response.json({
          probing: PROBING,
          endpoints: front.online.map((name) => ({ name, state: 'online' })),
          transitions: [{ at: new Date(startMs + front.changedInMs).toISOString() }],
        });
      }
      const region = await sentTo();
      const [count] = /\d+(?="\}$)/.exec(body) ?? [];
      const isBlind = front.isStale && region === 'west';
      if (method === 'PUT' && !isBlind) seen.written = Number(count);
      const known = isBlind ? 0 : seen.written;
      return Response.json(
        { lastName: `drill ${count ?? known}` },
        { headers: { 'x-tandem-region': region } },
      );
    });
    const beating = new AbortController();
    const beat = async (): Promise<void> => {
      while (!beating.signal.aborted) {
        const nowMs = clock.nowMs() + AHEAD_MS;
        const peers = [{ peer: 'west', passedMs: undefined, isReachable: true }];
        const of = { nowMs, catchingUpSinceMs: undefined, hasBacklog: false, peers };
        await createTableReplicationStatus(regions.east).beat(of);
        await clock.sleep(1_000);
      }
    };
    const { regions: listed } = JSON.parse(inventory) as { regions: { name: string }[] };
    const TANDEM_REGIONS = JSON.stringify({
      version: 1,
      trafficManager: 'http://front.example',
      regions: listed.map((one) =>
        front.hasApis ? { ...one, api: `http://${one.name}.example` } : one,
      ),
    });
    const run = async (...args: readonly string[]) => {
      const io = { environment: { TANDEM_REGIONS }, readReadiness: async () => true };
      const real = ['--json', 'drill', '--region', 'east', '--for-real', '--away', '1s'];
      const ran = await runWith(io, ...real, ...args);
      beating.abort();
      return ran;
    };
    return { run, beat: () => void beat(), asked, seen, startMs };
  }

  test('measures how long clients go on asking, and how soon the region is back', async () => {
    const { run, beat, asked, seen, startMs } = await createFront();
    beat();
    const { code, json } = await run();
    expect(json).toMatchObject({
      forReal: true,
      region: 'east',
      successor: 'west',
      isWithinBounds: true,
      failOverMs: expect.toSatisfy((ms: number) => ms >= 300 && ms < 500),
      catchUpMs: expect.any(Number),
      failBackMs: expect.toSatisfy((ms: number) => ms >= 300 && ms < 500),
      counts: { failed: 0, stale: 0 },
      unsettled: [],
    });
    expect(code).toBe(0);
    // By the clock of east, which ends the drill by itself.
    expect(seen.untilMs).toBeGreaterThan(startMs + AHEAD_MS);
    expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set(['front.example']));
  });

  test.each([
    ['clients leave sooner than they can', {}, ['--interval-ms', '1000'], false],
    ['a client is shown less than it wrote', { isStale: true }, [], true],
    ['it does not return in time', { returnsInMs: 5_000 }, ['--return', '2s'], true],
  ])('finds that %s', async (_what, given, args, isWithinBounds) => {
    const { run, beat } = await createFront(given);
    beat();
    const { code, json } = await run(...args);
    expect(json).toMatchObject({ forReal: true, successor: 'west', isWithinBounds });
    expect(code).toBe(3);
  });

  test.each([
    ['no other region is counted on', { online: ['east'] }],
    ['the front has changed its mind a moment ago', { changedInMs: 60_000 }],
  ])('is refused while %s', async (_what, given) => {
    const { run, beat, seen } = await createFront(given);
    beat();
    const { code, err } = await run();
    expect(err).toContain('has not settled');
    expect({ code, untilMs: seen.untilMs }).toEqual({ code: 1, untilMs: 0 });
  });

  test('asks where it is told to, in place of the traffic manager', async () => {
    const { run, beat, asked } = await createFront();
    beat();
    expect(await run('--front', 'http://other.example')).toMatchObject({ code: 0 });
    const fronts = asked.filter((url) => url.includes('/customers/')).map((url) => new URL(url));
    expect(new Set(fronts.map(({ host }) => host))).toEqual(new Set(['other.example']));
  });

  test('is refused where nobody can tell the clock by which it would end', async () => {
    const { run, seen } = await createFront();
    const { code, err } = await run();
    expect(err).toContain('Nobody can tell what the clock of east says');
    expect({ code, untilMs: seen.untilMs }).toEqual({ code: 1, untilMs: 0 });
  });

  test('is refused where the inventory has no API of a region to be asked', async () => {
    const { run, beat } = await createFront({ hasApis: false });
    beat();
    const { code, err } = await run();
    expect(err).toContain('east is not ready');
    expect(code).toBe(1);
  });
});
