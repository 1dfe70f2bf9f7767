import {
  adoptedStamp,
  adoptedState,
  applyRepair,
  type ChangeSet,
  type EntityState,
  encodeChangeSet,
  formatStamp,
  planRepair,
  type Stamp,
  stampRegion,
  stampTimeMs,
} from '@tandem/core';
import { NIL_STAMP, STAMP_POSSIBLE_MS_MAX } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { toEntityProperties } from './rows/entity-row.ts';
import { deviceKind } from './testing/device-kind.ts';
import { idInBucket, readRows } from './testing/memory-region.ts';
import {
  expectReplayable,
  MEMORY_TOMBSTONE_AGE_MS,
  recoveryRegionsOf,
  verifyTwo,
} from './testing/recovery-regions.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

const YEAR_MS = 365 * 24 * 3_600_000;
const IMPOSSIBLE = 'ffffffffffff-ffff-west-evil' as Stamp;

/** An id in the first bucket. */
const ID = idInBucket('device', '00');

function stampOf(timeMs: number, counter = 0, region = 'west'): Stamp {
  return formatStamp({ timeMs, counter, region, writer: 'evil' });
}

function stateOf(stamp: Stamp, value = 'forged', name = 'label'): EntityState {
  return {
    fields: new Map([[name, { stamp, value: { type: 'String', value } }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([[stampRegion(stamp), stamp]]),
  };
}

function setOf(stamp: Stamp, own: Partial<ChangeSet> = {}, entityId = ID): ChangeSet {
  const change = { entityId, operation: 'replace', state: stateOf(stamp) } as const;
  return { entityKind: deviceKind.name, bucket: '00', stamp, changes: [change], ...own };
}

function withState(set: ChangeSet, state: EntityState): ChangeSet {
  return { ...set, changes: [{ ...set.changes[0]!, state }] };
}

async function send({ bus }: Regions, set: ChangeSet, to = 'east'): Promise<void> {
  const messageId = `forged ${set.stamp}`;
  const body = encodeChangeSet(set);
  await bus.publisherFor(to, to).publish([{ messageId, subject: 'change-set', body }]);
}

const reasonsIn = ({ bus }: Regions, queue = 'east'): (string | undefined)[] =>
  bus.deadLettersOf(queue).map(({ reason }) => reason);

/** What the regions have is the same, and an archive gives it again. */
async function expectEqual(regions: Regions): Promise<void> {
  await regions.settle();
  const { east, west } = regions;
  expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
  await expectReplayable(east, deviceKind);
  await expectReplayable(west, deviceKind);
}

describe('A1: a stamp that no clock can have made', () => {
  test.each([
    IMPOSSIBLE,
    'fffffffffff0-0000-west-evil' as Stamp,
    stampOf(STAMP_POSSIBLE_MS_MAX + 1),
    NIL_STAMP,
  ])('%s never enters a row, a clock or an archive', async (stamp) => {
    const regions = await createTwoRegions(deviceKind);
    const { east } = regions;
    await east.table.put(ID, { label: 'mine' });
    await send(regions, setOf(stamp));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['STAMP_IMPOSSIBLE']);
    expect((await east.table.patch(ID, { restarts: 1 })).kind).toBe('replaced');
    const row = await east.table.get(ID);
    expect(row?.entity).toMatchObject({ label: 'mine', restarts: 1 });
    for (const made of row!.version.values()) {
      expect(stampTimeMs(made)).toBeLessThan(regions.clock.nowMs() + 60_000);
    }
    await expectEqual(regions);
  });

  test('hides in no field, life or vector of a change with a stamp of its own', async () => {
    const regions = await createTwoRegions(deviceKind);
    const stamp = stampOf(regions.clock.nowMs());
    const own = stateOf(stamp);
    const states: EntityState[] = [
      { ...own, alive: IMPOSSIBLE },
      { ...own, deleted: IMPOSSIBLE },
      {
        ...own,
        vector: new Map([...own.vector, ['east', 'ffffffffffff-ffff-east-evil' as Stamp]]),
      },
      { ...own, fields: new Map([['label', { stamp: IMPOSSIBLE, value: null }]]) },
      // Not impossible, and yet in no vector: a later write would not know that it is above it.
      { ...own, alive: stampOf(regions.clock.nowMs() - 1, 0, 'east') },
    ];
    for (const state of states) await send(regions, withState(setOf(stamp), state));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(states.map(() => 'STAMP_INCONSISTENT'));
    expect(await regions.east.table.get(ID)).toBeUndefined();
  });

  test.each([
    ['a year ahead', (nowMs: number) => stampOf(nowMs + YEAR_MS)],
    [
      'a thousand years ahead, with a full counter',
      (nowMs: number) => stampOf(nowMs + 1_000 * YEAR_MS, 0xffff),
    ],
    ['near the end of what is possible', () => stampOf(STAMP_POSSIBLE_MS_MAX - 10, 0xffff)],
  ])('%s is data: applied, overwritten as often as one likes, and sent on', async (_, make) => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, clock } = regions;
    const stamp = make(clock.nowMs());
    await send(regions, setOf(stamp));
    await regions.settle();
    expect((await east.table.get(ID))?.entity.label).toBe('forged');
    for (let restarts = 1; restarts <= 50; restarts += 1) {
      await regions.drive(east.table.patch(ID, { restarts }));
    }
    await regions.settle();
    await regions.drive(west.table.patch(ID, { label: 'west' }));
    await expectEqual(regions);
    expect(reasonsIn(regions, 'west')).toEqual([]);
    expect((await east.table.get(ID))?.entity).toMatchObject({ label: 'west', restarts: 50 });
    // And no other entity is stamped with it.
    await regions.drive(east.table.put('other', { label: 'o' }));
    const [other] = [...(await east.table.get('other'))!.version.values()];
    expect(stampTimeMs(other!)).toBeLessThanOrEqual(clock.nowMs());
  });

  test('lifts no other row that is far ahead to its height', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, clock } = regions;
    const low = idInBucket('low', '00');
    await send(regions, setOf(stampOf(STAMP_POSSIBLE_MS_MAX, 0xfffd)));
    const yearAheadMs = clock.nowMs() + YEAR_MS;
    await send(regions, setOf(stampOf(yearAheadMs), {}, low));
    await regions.settle();
    await regions.drive(east.table.patch(ID, { restarts: 1 }));
    await regions.drive(east.table.patch(ID, { restarts: 2 }));
    for (let restarts = 1; restarts <= 20; restarts += 1) {
      await regions.drive(east.table.patch(low, { restarts }));
    }
    const made = (await east.table.get(low))!.version.get('east')!;
    expect(stampTimeMs(made)).toBe(yearAheadMs);

    // The very last stamp there is: this one entity has no write left, and says so; nothing else is held up.
    await expect(regions.drive(east.table.patch(ID, { restarts: 3 }))).rejects.toMatchObject({
      code: 'STAMP_IMPOSSIBLE',
    });
    expect((await east.table.get(ID))?.entity.restarts).toBe(2);
    await regions.drive(east.table.patch(low, { label: 'fine' }));
    await expectEqual(regions);
  });
});

describe('A1: a row that took an impossible stamp before they were refused', () => {
  async function withOldRow(at: 'east' | 'both'): Promise<Regions> {
    const regions = await createTwoRegions(deviceKind);
    const { east, west } = regions;
    await east.table.put(ID, { label: 'first', restarts: 1 });
    await regions.settle();
    const { store } = east;
    for (const region of at === 'both' ? [east, west] : [east]) {
      const row = await region.store.get(deviceKind.name, '00', ID);
      const restarts = {
        stamp: (await east.table.get(ID))!.version.get('east')!,
        value: row!.properties.get('restarts')!,
      };
      const state: EntityState = {
        fields: new Map([
          ['label', { stamp: IMPOSSIBLE, value: { type: 'String', value: 'forged' } }],
          ['restarts', restarts],
        ]),
        alive: IMPOSSIBLE,
        deleted: undefined,
        vector: new Map([
          ['west', IMPOSSIBLE],
          ['east', restarts.stamp],
        ]),
      };
      await region.store.commit({
        table: deviceKind.name,
        partitionKey: '00',
        operations: [
          {
            kind: 'upsert',
            rowKey: ID,
            properties: toEntityProperties({ state, referenceId: undefined }),
          },
        ],
      });
    }
    expect((await store.get(deviceKind.name, '00', ID))?.properties.get('_vector')).toMatchObject({
      value: expect.stringContaining('ffffffffffff'),
    });
    return regions;
  }

  const rawRows = async ({ east, west }: Regions): Promise<string> =>
    JSON.stringify(
      await Promise.all([readRows(east, deviceKind.name), readRows(west, deviceKind.name)]),
      (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    );

  test('is read, overwritten and sent on like any other', async () => {
    const regions = await withOldRow('both');
    const table = regions.east.openTable();
    expect((await table.get(ID))?.entity).toMatchObject({ label: 'forged', restarts: 1 });
    for (let restarts = 2; restarts < 30; restarts += 1) {
      expect((await regions.drive(table.patch(ID, { restarts }))).kind).toBe('replaced');
    }
    await regions.settle();
    expect((await regions.west.table.get(ID))?.entity.restarts).toBe(29);
    expect(reasonsIn(regions, 'west')).toEqual([]);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    expect(await rawRows(regions)).not.toContain('ffffffffffff');
  });

  test('is forgotten', async () => {
    const regions = await withOldRow('both');
    await regions.drive(regions.east.openTable().forget(ID));
    await regions.settle();
    for (const region of [regions.east, regions.west]) {
      expect(await region.openTable().get(ID)).toBeUndefined();
    }
    expect(await rawRows(regions)).not.toContain('forged');
  });

  test('is repaired without handing the stamp on', async () => {
    const regions = await withOldRow('east');
    const report = await verifyTwo(regions, deviceKind);
    expect(report.differentCount).toBe(1);
    const own = recoveryRegionsOf(regions, deviceKind);
    const nowMs = regions.clock.nowMs();
    const plan = planRepair(report, { nowMs, tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS });
    await regions.drive(applyRepair({ regions: own, repairs: plan.repairs }));
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    const west = await readRows(regions.west, deviceKind.name);
    expect(JSON.stringify(west)).not.toContain('ffffffffffff');
    // What the region wrote itself wins over what nobody can have written.
    expect((await regions.west.openTable().get(ID))?.entity.label).toBe('first');
  });
});

describe('A2: a vector', () => {
  test('names regions that there are, and no others', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, clock } = regions;
    await east.table.put(ID, { label: 'mine' });
    const stamp = stampOf(clock.nowMs());
    const invented = (start: number): [string, Stamp][] =>
      Array.from({ length: 60 }, (_, index) => {
        const region = `region${start + index}`;
        return [region, stampOf(clock.nowMs() - 1, 0, region)];
      });
    for (const start of [0, 60]) {
      const vector = new Map([...invented(start), ['west', stamp] as const]);
      await send(regions, withState(setOf(stamp), { ...stateOf(stamp), vector }));
    }
    await send(regions, setOf(stampOf(clock.nowMs(), 0, 'nowhere')));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['REGION_UNKNOWN', 'REGION_UNKNOWN', 'REGION_UNKNOWN']);
    await regions.drive(east.table.put(ID, { label: 'again' }));
    await expectEqual(regions);
    expect((await regions.west.table.get(ID))?.version.size).toBe(1);
  });
});

describe('A5: a bucket', () => {
  test('that is not that of its entities is refused, so nothing lies where nobody looks', async () => {
    const regions = await createTwoRegions(deviceKind);
    const stamp = stampOf(regions.clock.nowMs());
    await send(regions, setOf(stamp, { bucket: '01' }));
    await send(regions, setOf(stamp, { bucket: 'ff' }));
    const [change] = setOf(stamp).changes;
    const elsewhere = { ...change!, entityId: idInBucket('elsewhere', '01') };
    await send(regions, setOf(stamp, { changes: [change!, elsewhere] }));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['BUCKET_WRONG', 'BUCKET_WRONG', 'BUCKET_WRONG']);
    expect(await regions.east.table.get(ID)).toBeUndefined();
    const { rows } = await regions.east.store.query({
      table: 'Archive',
      partitions: { from: '!', before: '~~' },
      limit: 10,
    });
    expect(rows).toEqual([]);
  });
});

describe('A18: a field', () => {
  const NAMES = ['referenceId', 'PartitionKey', 'Timestamp', 'hasOwnProperty', 'constructor'];

  test.each(NAMES)('%s is refused by name, and the regions stay equal', async (name) => {
    const regions = await createTwoRegions(deviceKind);
    const stamp = stampOf(regions.clock.nowMs());
    await send(regions, withState(setOf(stamp), stateOf(stamp, 'x', name)));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['FIELD_RESERVED']);
    expect(await regions.east.table.get(ID)).toBeUndefined();
    await expectEqual(regions);
  });

  const withFields = (stamp: Stamp, from: number, count: number, value: string): EntityState => ({
    ...stateOf(stamp),
    fields: new Map(
      Array.from({ length: count }, (_, index) => [
        `newer${from + index}`,
        { stamp, value: { type: 'String', value } as const },
      ]),
    ),
  });

  test('that is unknown is kept, while there is room for it in a row', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, clock } = regions;
    const stamp = stampOf(clock.nowMs());
    await send(regions, withState(setOf(stamp), withFields(stamp, 0, 17, 'x')));
    await send(regions, withState(setOf(stamp), withFields(stamp, 0, 1, 'x'.repeat(2_000))));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['FIELD_UNKNOWN', 'FIELD_TOO_LARGE']);

    // From both sides, more than a row holds together.
    for (const [region, from] of [
      ['west', 0],
      ['east', 10],
    ] as const) {
      const own = stampOf(clock.nowMs() + from, 0, region);
      for (const to of ['east', 'west']) {
        await send(regions, withState(setOf(own), withFields(own, from, 16, 'x')), to);
      }
    }
    await regions.settle();
    expect((await regions.drive(east.table.patch(ID, { restarts: 1 }))).kind).toBe('replaced');
    await expectEqual(regions);
    expect(reasonsIn(regions)).toHaveLength(2);
    const row = await regions.west.store.get(deviceKind.name, '00', ID);
    const kept = [...row!.properties.keys()].filter((name) => name.startsWith('newer'));
    expect(kept).toHaveLength(16);
    expect((await regions.drive(east.table.remove(ID))).kind).toBe('deleted');
    await expectEqual(regions);
  });
});

describe('I24: a state that was adopted from an old table', () => {
  const old = adoptedStamp(ID, '1999-12-31T23:59:59.1234567Z')!;
  const adopted = adoptedState(old, new Map([['label', { type: 'String', value: 'old' }]]));
  const setOfAdopted = ({ clock }: Regions, region = 'west'): ChangeSet =>
    withState(setOf(stampOf(clock.nowMs(), 0, region)), adopted);

  test('is taken in the set of a region, archived, and written on like any other', async () => {
    const regions = await createTwoRegions(deviceKind);
    const set = setOfAdopted(regions);
    await send(regions, set);
    await send(regions, set, 'west');
    await regions.settle();
    const { east, west } = regions;
    expect(reasonsIn(regions)).toEqual([]);
    const rows = await Promise.all([east, west].map(({ table }) => table.get(ID)));
    for (const row of rows) expect(row).toMatchObject({ entity: { label: 'old' }, origin: 'old' });
    expect(rows[0]?.version).toEqual(new Map([['old', old]]));
    await expectEqual(regions);
    await regions.drive(east.openTable().patch(ID, { restarts: 1 }));
    await send(regions, set);
    await expectEqual(regions);
    expect((await west.openTable().get(ID))?.entity).toMatchObject({ label: 'old', restarts: 1 });
  });

  test('is repaired in a region that does not have it, its archive too', async () => {
    const regions = await createTwoRegions(deviceKind);
    await send(regions, setOfAdopted(regions));
    await regions.settle();
    const report = await verifyTwo(regions, deviceKind);
    expect(report.differentCount).toBe(1);
    const nowMs = regions.clock.nowMs();
    const asked = { nowMs, tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS };
    // It is older than every tombstone, so an operator says that it was not deleted.
    expect(planRepair(report, asked).repairs).toEqual([]);
    const plan = planRepair(report, { ...asked, includesDoubtful: true });
    const own = recoveryRegionsOf(regions, deviceKind);
    await regions.drive(applyRepair({ regions: own, repairs: plan.repairs }));
    await expectEqual(regions);
    expect((await regions.west.table.get(ID))?.version).toEqual(new Map([['old', old]]));
  });

  test('is of no set that claims to be of the old table, and hides in no other state', async () => {
    const regions = await createTwoRegions(deviceKind);
    await send(regions, withState(setOf(old), adopted));
    const stamp = stampOf(regions.clock.nowMs());
    // The state is of the set's transaction, and the old table had done something later.
    const later = adoptedStamp(ID, new Date(regions.clock.nowMs() + 1).toISOString())!;
    const vector = new Map([
      ['west', stamp],
      ['old', later],
    ]);
    await send(regions, withState(setOf(stamp), { ...stateOf(stamp), vector }));
    await regions.settle();
    expect(reasonsIn(regions)).toEqual(['REGION_UNKNOWN', 'STAMP_INCONSISTENT']);
    expect(await regions.east.table.get(ID)).toBeUndefined();
  });
});
