import { replayInto } from '@tandem/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTableArchiveKeeper } from './recovery/archive-keeper.ts';
import { createTableReplica } from './tables/table-replica.ts';
import { deviceKind } from './testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, readRows } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

const IDS = ['a', 'b', 'c'];

const step = fc.oneof(
  fc.record({
    kind: fc.constantFrom('put', 'patch', 'remove'),
    region: fc.constantFrom('east', 'west'),
    id: fc.constantFrom(...IDS),
    label: fc.constantFrom('x', 'y', null),
    restarts: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constantFrom('sweep', 'receive'), region: fc.constantFrom('east', 'west') }),
  fc.record({
    kind: fc.constant('resend'),
    region: fc.constantFrom('east', 'west'),
    nth: fc.nat(50),
  }),
  fc.record({ kind: fc.constantFrom('cut', 'heal'), region: fc.constantFrom('east', 'west') }),
  fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 0, max: 10_000 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(one: Step, regions: TwoRegions<typeof deviceKind>): Promise<void> {
  const { clock, bus, drive } = regions;
  if ('ms' in one) return clock.advance(one.ms);
  const region = regions[one.region];
  const { table, replicator } = region;
  if ('id' in one) {
    const entity = { label: one.label, restarts: one.restarts };
    if (one.kind === 'put') await drive(table.put(one.id, entity));
    if (one.kind === 'patch') await drive(table.patch(one.id, { label: one.label }));
    if (one.kind === 'remove') await drive(table.remove(one.id));
    return undefined;
  }
  if ('nth' in one) {
    const entry = region.committed[one.nth % Math.max(1, region.committed.length)];
    const peer = region.region === 'east' ? 'west' : 'east';
    if (entry === undefined) return undefined;
    const message = { messageId: 'again', subject: 'change-set' as const, body: entry.encoded };
    await bus
      .publisherFor(peer, peer)
      .publish([message])
      .catch(() => undefined);
    return undefined;
  }
  if (one.kind === 'sweep') await drive(replicator.sweepOnce());
  const { signal } = new AbortController();
  if (one.kind === 'receive') await drive(replicator.receiveOnce(signal).catch(() => 0));
  if (one.kind === 'cut') bus.setDown(region.region, true);
  if (one.kind === 'heal') bus.setDown(region.region, false);
  return undefined;
}

/** What both regions must agree on: all but where each found what it holds. */
async function shared(regions: TwoRegions<typeof deviceKind>, name: 'east' | 'west') {
  const rows = await readRows(regions[name], deviceKind.name);
  return rows.map(({ key, properties }) => {
    const { referenceId, ...rest } = properties as Record<string, unknown>;
    return { key, rest, isReplicated: referenceId !== undefined };
  });
}

async function replayed(regions: TwoRegions<typeof deviceKind>, name: 'east' | 'west') {
  const { store, outbox, region } = regions[name];
  const archive = createTableArchiveKeeper({ store });
  await store.createTable('Replayed');
  const target = { store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT, table: 'Replayed' };
  const into = createTableReplica(target);
  await replayInto({ archive, buckets: outbox.buckets, into, region, span: {} });
  return readRows(regions[name], 'Replayed');
}

describe('two regions, whatever is written, cut, resent and delivered in whatever order', () => {
  const scenario = fc.record({
    steps: fc.array(step, { maxLength: 60 }),
    skewMs: fc.constantFrom(0, 5_000, -40_000, 500_000),
    relaysAtOnce: fc.boolean(),
  });

  // West's row has its fields in the order of a merge, east's in the order of a write.
  const put = { kind: 'put', id: 'a', label: 'x' } as const;
  const fieldsMadeInOtherOrders = {
    steps: [
      { ...put, region: 'east', restarts: 1 },
      { ...put, region: 'west', restarts: 0 },
      { ...put, region: 'east', restarts: 0 },
    ] satisfies Step[],
    skewMs: 500_000 as const,
    relaysAtOnce: false,
  };

  test('I2, I5, I13: become equal field for field, drained, and replay to what they are', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ steps, skewMs, relaysAtOnce }) => {
        const regions = await createTwoRegions(deviceKind, {
          east: { relaysAtOnce },
          west: { skewMs },
        });
        for (const one of steps) await run(one, regions);
        regions.bus.setDown('east', false);
        regions.bus.setDown('west', false);
        await regions.clock.advance(60_000);
        await regions.settle();

        const [east, west] = [await shared(regions, 'east'), await shared(regions, 'west')];
        expect(west.map(({ key, rest }) => ({ key, rest }))).toEqual(
          east.map(({ key, rest }) => ({ key, rest })),
        );
        // Each row was written last in exactly one region, and is a replica in the other.
        expect(west.map(({ isReplicated }) => !isReplicated)).toEqual(
          east.map(({ isReplicated }) => isReplicated),
        );
        for (const name of ['east', 'west'] as const) {
          expect(await replayed(regions, name)).toEqual(
            await readRows(regions[name], deviceKind.name),
          );
          expect(regions.bus.deadLettersOf(name)).toEqual([]);
        }
      }),
      { numRuns: 150, examples: [[fieldsMadeInOtherOrders]] },
    );
  });
});

describe('I7: conflicts', () => {
  test('both regions record the same one, with the losing value', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west } = regions;
    await east.table.put('a', { label: 'first', restarts: 1 });
    await regions.settle();
    await east.table.patch('a', { label: 'from east' });
    await regions.clock.advance(1);
    await west.table.patch('a', { label: 'from west' });
    await regions.settle();

    const inEast = await east.journal.list(deviceKind.name, 10);
    expect(inEast).toEqual(await west.journal.list(deviceKind.name, 10));
    expect(inEast).toMatchObject([
      {
        entityId: 'a',
        fields: [
          {
            name: 'label',
            winner: { value: { value: 'from west' } },
            loser: { value: { value: 'from east' } },
          },
        ],
      },
    ]);
  });

  test('edits of different fields both survive, and are recorded as a conflict without a loser', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west } = regions;
    await east.table.put('a', { label: 'first', restarts: 1 });
    await regions.settle();
    await east.table.patch('a', { label: 'from east' });
    await west.table.patch('a', { restarts: 2 });
    await regions.settle();
    for (const { table, journal } of [east, west]) {
      expect((await table.get('a'))?.entity).toMatchObject({ label: 'from east', restarts: 2 });
      expect(await journal.list(deviceKind.name, 10)).toMatchObject([
        { entityId: 'a', fields: [] },
      ]);
    }
  });
});

describe('I8: causally later wins whatever the clocks say', () => {
  test('a write that saw another wins over it, made by a clock an hour behind', async () => {
    const regions = await createTwoRegions(deviceKind, { west: { skewMs: -3_600_000 } });
    const { east, west } = regions;
    await east.table.put('a', { label: 'first' });
    await regions.settle();
    await west.table.patch('a', { label: 'second' });
    await regions.settle();
    expect((await east.table.get('a'))?.entity.label).toBe('second');
    expect((await west.table.get('a'))?.entity.label).toBe('second');
  });
});
