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
import { describe, expect, test } from 'vitest';
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
