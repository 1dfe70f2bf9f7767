import {
  type Conflict,
  defineEntityKind,
  type EntityKind,
  type EntityState,
  hasSeen,
  isAlive,
  isSameValue,
} from '@tandem/core';
import { joinEntities } from '@tandem/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import type { MemoryRegion } from '../testing/memory-region.ts';
import { recoveryRegionOf } from '../testing/recovery-regions.ts';
import { createMemoryRegions, type MemoryRegions } from '../testing/two-regions.ts';

const REGIONS = ['east', 'west', 'north', 'south', 'far'];
const IDS = ['a', 'b'];
type Device = typeof deviceKind;

/** The same with the policy that the later of two concurrent writes wins whole. */
const rowKind: Device = defineEntityKind({
  name: 'RowDevices',
  schema: deviceKind.schema,
  policy: 'row',
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('put', 'patch', 'remove'),
      region: fc.nat(4),
      id: fc.constantFrom(...IDS),
      label: fc.constantFrom('x', 'y', null),
      restarts: fc.integer({ min: 0, max: 3 }),
    }),
  },
  // Any change set, in any order, as often as you like, to any other region.
  { weight: 5, arbitrary: fc.record({ from: fc.nat(4), nth: fc.nat(20), into: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ tells: fc.nat(4) }) },
  // A region is given the join of all regions' rows, as by a repair.
  { weight: 1, arbitrary: fc.record({ joins: fc.nat(4), id: fc.constantFrom(...IDS) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(one: Step, all: MemoryRegions<Device>, kind: Device): Promise<void> {
  const { regions, bus, clock, drive } = all;
  const at = (index: number): MemoryRegion<Device> => regions[index % regions.length]!;
  await clock.advance(1);
  if ('kind' in one) {
    const { table } = at(one.region);
    const entity = { label: one.label, restarts: one.restarts };
    if (one.kind === 'put') await drive(table.put(one.id, entity));
    if (one.kind === 'patch') await drive(table.patch(one.id, { label: one.label }));
    if (one.kind === 'remove') await drive(table.remove(one.id));
  } else if ('nth' in one) {
    const [from, into] = [at(one.from), at(one.into)];
    const entry = from.committed[one.nth % Math.max(1, from.committed.length)];
    if (entry === undefined || from === into) return;
    const message = { messageId: 'm', subject: 'change-set' as const, body: entry.encoded };
    await bus.publisherFor(into.region, into.region).publish([message]);
    await drive(into.replicator.receiveOnce(new AbortController().signal));
  } else if ('tells' in one) {
    await drive(at(one.tells).replicator.sweepOnce());
  } else {
    const target = at(one.joins);
    const names = regions.map(({ region }) => region);
    const recovery = regions.map((region) => recoveryRegionOf(region, kind, names));
    const bucket = recovery[0]!.replica.bucketOf(one.id);
    const into = [target.region];
    await drive(joinEntities({ regions: recovery, bucket, entityIds: [one.id], into }));
  }
}

async function conflictsOf({ journal }: MemoryRegion<Device>, kind: EntityKind) {
  const found = await journal.list(kind.name, 10_000);
  return found.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function nameOf({ entityId, stamps }: Conflict): string {
  return [entityId, ...stamps].join('/');
}

/**
 * The values that lost to what had not seen them, told from the transactions alone; of those left out whether
 * they were lost depends on which of them met first.
 */
function lossesOf(regions: readonly MemoryRegion<Device>[]): readonly string[] {
  const changes = regions.flatMap(({ committed }) =>
    committed.flatMap(({ set }) => set.changes.map((change) => ({ ...change, stamp: set.stamp }))),
  );
  const losses: string[] = [];
  for (const { entityId, state, stamp } of changes) {
    const others = changes.filter((one) => one.entityId === entityId && one.stamp !== stamp);
    const unaware = others
      .filter((one) => !hasSeen(one.state.vector, stamp))
      .map((one) => one.state);
    const aware = others.filter((one) => hasSeen(one.state.vector, stamp)).map((one) => one.state);
    for (const [name, field] of state.fields) {
      if (field.stamp !== stamp) continue;
      const wins = (one: EntityState): boolean => {
        const other = one.fields.get(name);
        if (other === undefined) return field.value !== null && (one.base ?? '') > stamp;
        return other !== undefined && other.stamp > stamp && !isSameValue(other.value, field.value);
      };
      const isKept = aware.every((one) => one.fields.get(name)?.stamp === stamp);
      const rivals = unaware.filter(
        (one) => (one.fields.get(name)?.stamp ?? one.base ?? '') > stamp,
      );
      if (isKept && rivals.length > 0 && rivals.every(wins))
        losses.push(`${entityId} ${name} ${stamp}`);
      const isLostTo = ({ stamp: deletion, state: { vector, deleted } }: (typeof others)[0]) => {
        if (deleted !== deletion || deletion < stamp || hasSeen(vector, stamp)) return false;
        const isRevived = unaware.some((one) => hasSeen(one.vector, deletion) && isAlive(one));
        if (isRevived) return false;
        return others
          .filter((one) => !hasSeen(one.state.vector, deletion))
          .every(({ state: one }) => {
            const other = one.fields.get(name)?.stamp ?? '';
            const keeps = isAlive(one) && other === stamp;
            const isApart = !hasSeen(one.vector, stamp) && other < stamp;
            return (one.alive ?? '') < deletion && (keeps || isApart);
          });
      };
      if (others.some(isLostTo)) losses.push(`${entityId} ${name} ${stamp}`);
    }
  }
  return losses;
}

describe('I18, A11: the same conflicts under the same ids in every region', () => {
  test('also of an entity that held no value when it was deleted: it is not a forgotten one', async () => {
    const all = await createMemoryRegions(deviceKind, { east: {}, west: {} });
    const [east, west] = all.regions as [MemoryRegion<Device>, MemoryRegion<Device>];
    await all.drive(east.table.put('a', { label: 'lost' }));
    await all.clock.advance(1);
    await all.drive(west.table.put('a', {}));
    await all.drive(west.table.remove('a'));
    await all.settle();
    const expected = await conflictsOf(east, deviceKind);
    expect(await conflictsOf(west, deviceKind)).toEqual(expected);
    const losses = expected.flatMap(({ fields }) => fields.filter(({ name }) => name === 'label'));
    expect(losses.map(({ loser }) => loser.value?.value)).toEqual(['lost', 'lost']);
  });

  const scenario = fc.record({
    count: fc.integer({ min: 2, max: 5 }),
    kind: fc.constantFrom(deviceKind, rowKind),
    steps: fc.array(step, { maxLength: 40 }),
  });

  test('whatever is written, joined, delivered in whatever order, twice, or covered before it comes', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ count, kind, steps }) => {
        const named = Object.fromEntries(
          REGIONS.slice(0, count).map((name) => [name, { relaysAtOnce: false }]),
        );
        const all = await createMemoryRegions(kind, named);
        for (const one of steps) await run(one, all, kind);
        await all.settle();
        const [first, ...others] = all.regions;
        const expected = await conflictsOf(first!, kind);
        for (const other of others) expect(await conflictsOf(other, kind)).toEqual(expected);
        const recorded = expected.flatMap(({ entityId, fields }) =>
          fields.map(({ name, loser }) => `${entityId} ${name} ${loser.stamp}`),
        );
        // I7: with every losing value.
        expect(lossesOf(all.regions).filter((loss) => !recorded.includes(loss))).toEqual([]);
        for (const { region } of all.regions) expect(all.bus.deadLettersOf(region)).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });
});
