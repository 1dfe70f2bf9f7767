import { TransientError } from '@tandem/core';
import { createTableDrillSwitch, createTableProof } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { createCliHarness } from '../testing/cli-harness.ts';

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
