import { bucketOf, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableRegionHold,
  readConfigurationRow,
  REPLICATION_TABLE,
} from '@tandem/storage';
import {
  emptyTable,
  expectReplayable,
  MEMORY_BUCKET_COUNT,
  type MemoryRegion,
} from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

type Region = MemoryRegion<typeof customerKind>;

const NAMES = ['east', 'west', 'north'];
const IDS = Array.from({ length: 12 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047c1${n + 10}`);
const [ID = ''] = IDS;
/** In the bucket of the first. */
const NEIGHBOUR =
  IDS.slice(1).find(
    (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucketOf(ID, MEMORY_BUCKET_COUNT),
  ) ?? '';
const DOWN = new TransientError('TABLE_UNAVAILABLE', 'Its tables are down.');

interface Three extends CliHarness {
  readonly east: Region;
  readonly west: Region;
  readonly north: Region;
}

async function createThree(): Promise<Three> {
  const harness = await createCliHarness('north');
  const north = harness.regions.regions.find(({ region }) => region === 'north')!;
  return { ...harness, east: harness.regions.east, west: harness.regions.west, north };
}

/** Written in all three, deleted and edited, and settled. */
async function createFilled(): Promise<Three> {
  const three = await createThree();
  const { regions } = three;
  for (const [n, id] of IDS.entries()) {
    await regions.regions[n % 3]!.table.put(id, { email: `${n}@example.com` });
  }
  await regions.settle();
  await three.north.table.remove(IDS[3]!);
  await three.west.table.patch(IDS[4]!, { firstName: 'west' });
  await regions.settle();
  return three;
}

async function readLive({ table }: Region): Promise<Readonly<Record<string, unknown>>> {
  const { records } = await table.list(1_000);
  return Object.fromEntries(records.map(({ entityId, entity }) => [entityId, entity]));
}

/** The program waits for the regions: they go on beside it. */
async function beside(
  { regions }: Three,
  run: () => ReturnType<CliHarness['run']>,
): ReturnType<CliHarness['run']> {
  const keep = { isOn: true };
  const going = (async () => {
    while (keep.isOn) {
      await regions.clock.sleep(500);
      for (const { replicator } of regions.regions) {
        await replicator.sweepOnce();
        await replicator.receiveOnce(new AbortController().signal);
      }
    }
  })();
  const outcome = await run();
  keep.isOn = false;
  await regions.drive(going);
  return outcome;
}

describe('three regions', () => {
  test('are proven equal by their rows, and each that differs is named', async () => {
    const { run, north, west } = await createFilled();
    const equal = await run('verify');
    expect(equal).toMatchObject({ code: 0, json: { equal: true } });
    const [bucket] = equal.json['buckets'] as { rows: Record<string, number> }[];
    expect(Object.keys(bucket?.rows ?? {})).toEqual(NAMES);
    await emptyTable(north.store, customerKind.name);
    await west.table.patch(ID, { firstName: 'only west' });
    const { code, json } = await run('verify');
    expect({ code, different: json['different'] }).toEqual({ code: 3, different: 12 });
    const differences = json['differences'] as { id: string; regions: Record<string, object> }[];
    expect(differences.find(({ id }) => id === ID)?.regions).toMatchObject({
      east: { life: 'alive' },
      west: { life: 'alive' },
      north: { life: 'absent' },
    });
    expect(differences.find(({ id }) => id === IDS[3])?.regions).toMatchObject({
      east: { life: 'deleted' },
      north: { life: 'absent' },
    });
  });

  test('are made equal by their join, whoever holds what', async () => {
    const three = await createFilled();
    const { run, regions, east, west, north } = three;
    // Nobody is told of these, as when all queues are lost.
    for (const name of NAMES) regions.bus.setDown(name, true);
    await east.table.patch(ID, { firstName: 'east' });
    await west.table.patch(ID, { lastName: 'west' });
    await north.table.put(NEIGHBOUR, { email: 'north@example.com' });
    await emptyTable(east.store, ARCHIVE_TABLE);
    const plan = await run('repair');
    expect(plan).toMatchObject({ code: 3, json: { applied: false, different: 2 } });
    const repairs = plan.json['repairs'] as { id: string; into: string[] }[];
    expect(repairs.find(({ id }) => id === ID)?.into.toSorted()).toEqual(NAMES.toSorted());
    expect(repairs.find(({ id }) => id === NEIGHBOUR)?.into).toEqual(['east', 'west']);
    expect(await run('repair', '--apply')).toMatchObject({
      code: 0,
      json: { equal: true, written: { east: 2, west: 2, north: 1 } },
    });
    for (const region of [east, west, north]) {
      const live = await readLive(region);
      expect(live[ID]).toMatchObject({ firstName: 'east', lastName: 'west' });
      expect(live[NEIGHBOUR]).toMatchObject({ email: 'north@example.com' });
    }
    for (const region of [west, north]) await expectReplayable(region, customerKind);
    for (const name of NAMES) regions.bus.setDown(name, false);
    await regions.clock.advance(20_000);
    await regions.settle();
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('say what is at risk of one, as the others have it', async () => {
    const { run, regions, east } = await createThree();
    regions.bus.setDown('west', true);
    regions.bus.setDown('north', true);
    await regions.drive(east.table.put(ID, { email: 'nobody@example.com' }));
    const lost = await run('at-risk', '--region', 'east');
    expect(lost).toMatchObject({
      code: 3,
      json: { lost: [{ id: ID, places: { west: 'nowhere', north: 'nowhere' } }], delayed: [] },
    });
    regions.bus.setDown('north', false);
    await regions.clock.advance(20_000);
    await regions.drive(east.replicator.sweepOnce());
    const late = await run('at-risk', '--region', 'east');
    expect(late).toMatchObject({
      code: 0,
      json: { lost: [], delayed: [{ id: ID, places: { west: 'nowhere', north: 'queued' } }] },
    });
    regions.bus.setDown('west', false);
    await regions.clock.advance(20_000);
    await regions.drive(east.replicator.sweepOnce());
    const sent = await run('at-risk', '--region', 'east');
    expect(sent.json['delayed']).toMatchObject([
      { id: ID, places: { west: 'queued', north: 'queued' } },
    ]);
    expect(sent.json['delayed']).toHaveLength(1);
    expect(await run('at-risk', '--region', 'west')).toMatchObject({
      code: 0,
      json: { delayed: [] },
    });
    await regions.settle();
    expect((await run('at-risk', '--region', 'east')).json['delayed']).toEqual([]);
  });

  test('fill one from the others, each with what only it has', async () => {
    const three = await createFilled();
    const { run, runWith, regions, east, west, north } = three;
    const before = await readLive(east);
    for (const table of [
      customerKind.name,
      ARCHIVE_TABLE,
      CONFLICTS_TABLE,
      CONFIGURATION_TABLE,
      REPLICATION_TABLE,
    ]) {
      await emptyTable(west.store, table);
    }
    // Of this one north alone has a row, and east alone of that one.
    const [only = '', other = ''] = [IDS[6], IDS[7]];
    for (const [region, id] of [
      [east, only],
      [north, other],
    ] as const) {
      const partitionKey = bucketOf(id, MEMORY_BUCKET_COUNT);
      const operations = [{ kind: 'delete' as const, rowKey: id }];
      await region.store.commit({ table: customerKind.name, partitionKey, operations });
    }
    const plan = await run('rebuild-region', 'west');
    expect(plan).toMatchObject({
      code: 0,
      json: {
        applied: false,
        from: ['east', 'north'],
        rows: { west: 0, east: 11, north: 11 },
        different: 12,
      },
    });
    expect((await runWith({}, 'rebuild-region', 'west')).out).toContain(
      'Rows now: west 0, east 11, north 11; 12 of them are not the same',
    );
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({
      code: 0,
      json: { equal: true, rowsWritten: 12 },
    });
    expect(await createTableRegionHold(west).read()).toBeUndefined();
    for (const region of [east, west, north]) expect(await readLive(region)).toEqual(before);
    const peers = JSON.parse((await readConfigurationRow(west.store, 'Peers')) ?? '[]') as unknown;
    expect(peers).toEqual([
      { region: 'east', connection: 'east.servicebus.example' },
      { region: 'north', connection: 'north.servicebus.example' },
    ]);
    expect(await run('config', 'check', '--region', 'west')).toMatchObject({ code: 0 });
    await regions.settle();
    await expectReplayable(west, customerKind);
  });

  test('fill one although a third is down, where that is said', async () => {
    const three = await createFilled();
    const { run, east, west, north } = three;
    for (const table of [customerKind.name, ARCHIVE_TABLE]) await emptyTable(west.store, table);
    north.store.setOutage(DOWN);
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 4 });
    expect(await createTableRegionHold(west).read()).toBeUndefined();
    const args = ['rebuild-region', 'west', '--without'];
    expect(await run(...args, 'south', '--apply')).toMatchObject({ code: 2 });
    expect(await run(...args, 'north', 'east', '--apply')).toMatchObject({ code: 2 });
    expect(await run(...args, 'north', '--apply')).toMatchObject({
      code: 0,
      json: { equal: true, rowsWritten: 12 },
    });
    expect(await readLive(west)).toEqual(await readLive(east));
    north.store.setOutage(undefined);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('forget a person everywhere, and say so of one of whom nobody ever heard', async () => {
    const three = await createFilled();
    const { run, regions, east, west, north } = three;
    expect(await run('forget', IDS[0]!.replace('10', '99'))).toMatchObject({
      code: 3,
      json: { error: { code: 'NOT_FOUND' } },
    });
    expect(await run('forget', 'nonsense')).toMatchObject({ code: 2 });
    const planned = await run('forget', ID.toUpperCase());
    expect(planned).toMatchObject({ code: 0, json: { applied: false, id: ID } });
    expect(planned.json['regions']).toMatchObject([
      { region: 'east', rows: 1, archiveRows: 1 },
      { region: 'west', rows: 1, archiveRows: 1 },
      { region: 'north', rows: 1, archiveRows: 1 },
    ]);
    const done = await beside(three, () => run('forget', ID, '--apply'));
    expect(done).toMatchObject({ code: 0, json: { applied: true, left: 0 } });
    await regions.settle();
    for (const region of [east, west, north]) {
      expect(await region.table.get(ID)).toBeUndefined();
      expect((await region.table.get(NEIGHBOUR))?.entity.email).toContain('@example.com');
      await expectReplayable(region, customerKind);
    }
    expect(await run('verify')).toMatchObject({ code: 0 });
    // Once forgotten it is known, and there is nothing left to do.
    expect(await run('forget', ID)).toMatchObject({ code: 0, json: { left: 0 } });
  });

  test('I19: forget leaves a life that begins while it is at it, and says that it is there', async () => {
    const three = await createFilled();
    const { run, regions, north } = three;
    let hasBegun = false;
    north.store.beforeCommit(async ({ table, operations: [first] }) => {
      // When the archive of north is erased, after all have the deletion.
      if (hasBegun || table !== ARCHIVE_TABLE || first?.kind !== 'replace') return;
      hasBegun = true;
      await three.east.table.put(ID, { email: 'later@example.com' });
      for (const region of [three.west, north]) {
        await region.replicator.receiveOnce(new AbortController().signal);
      }
    });
    const done = await beside(three, () => run('forget', ID, '--apply'));
    expect(hasBegun).toBe(true);
    expect(done).toMatchObject({ code: 3, json: { applied: true } });
    await regions.settle();
    for (const region of regions.regions) {
      expect((await region.table.get(ID))?.entity.email).toBe('later@example.com');
      await expectReplayable(region, customerKind);
    }
    const history = await run('history', ID);
    const emails = (history.json['entries'] as { entity: { email: string } | null }[]).map(
      ({ entity }) => entity?.email ?? null,
    );
    expect(emails).toEqual([null, null, 'later@example.com']);
  });

  test('get back what an archive has, all of them', async () => {
    const three = await createFilled();
    const { run, east, west, north } = three;
    const before = await readLive(east);
    for (const { store } of [east, west, north]) await emptyTable(store, customerKind.name);
    const args = ['replay', '--from', 'north', '--into', 'west', '--in-place'];
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { rowsWritten: 12 } });
    for (const region of [east, west, north]) expect(await readLive(region)).toEqual(before);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('get back what an archive has but for one that is down, and name that', async () => {
    const three = await createFilled();
    const { run, east, west, north } = three;
    const before = await readLive(east);
    for (const { store } of [east, west]) await emptyTable(store, customerKind.name);
    north.store.setOutage(DOWN);
    const args = ['replay', '--from', 'east', '--in-place', '--apply'];
    expect(await run(...args)).toMatchObject({ code: 3, json: { outOfReach: ['north'] } });
    for (const region of [east, west]) expect(await readLive(region)).toEqual(before);
  });

  test('follow one that is taken back to a time', async () => {
    const { run, regions, east, west, north } = await createFilled();
    const then = await readLive(west);
    await regions.clock.advance(10);
    const before = new Date(regions.clock.nowMs()).toISOString();
    await regions.clock.advance(10);
    await east.table.remove(IDS[8]!);
    await west.table.patch(ID, { email: 'changed@example.com' });
    await north.table.put('11111111-f61f-451a-86d2-ee8cc047c181', { email: 'new@example.com' });
    await regions.settle();
    const args = ['replay', '--from', 'north', '--into', 'west', '--in-place', '--before', before];
    const counts = { written: 2, changed: 1, deleted: 1 };
    expect(await run(...args)).toMatchObject({ code: 0, json: counts });
    expect(await run(...args, '--apply', '--confirm', 'north')).toMatchObject({ code: 2 });
    expect(await run(...args, '--apply', '--confirm', 'west')).toMatchObject({
      code: 0,
      json: counts,
    });
    await regions.settle();
    for (const region of [east, west, north]) expect(await readLive(region)).toEqual(then);
  });

  test('are each told of with what they owe to each', async () => {
    const { run, runWith, regions, east } = await createThree();
    regions.bus.setDown('north', true);
    await regions.drive(east.table.put(ID, { email: 'a@example.com' }));
    const { json } = await run('status');
    expect(json['regions']).toMatchObject([
      {
        region: 'east',
        owedToAll: 0,
        directions: [
          { peer: 'west', owedChanges: 0 },
          { peer: 'north', owedChanges: 1 },
        ],
      },
      { region: 'west', directions: [{ peer: 'east' }, { peer: 'north' }] },
      { region: 'north', directions: [{ peer: 'east' }, { peer: 'west' }] },
    ]);
    const drill = await run('drill', '--region', 'east');
    expect(drill.json['prediction']).toMatchObject({ lostChanges: 0, delayedChanges: 1 });
    expect((await runWith({}, 'doctor')).out).toContain('Nothing found in east, west, north.');
  });
});

describe('dead letters are all discarded', () => {
  async function createPoisoned() {
    const three = await createThree();
    const { bus, drive } = three.regions;
    const poison = (name: string, ...ids: readonly string[]): Promise<void> =>
      bus.publisherFor(name, name).publish(
        ids.map((messageId) => ({
          messageId,
          subject: 'change-set' as const,
          body: new TextEncoder().encode('poison'),
        })),
      );
    for (const { region, replicator } of three.regions.regions) {
      await poison(region, 'one', 'two');
      await drive(replicator.receiveOnce(new AbortController().signal));
    }
    return { ...three, poison };
  }
  const args = ['dead-letters', 'discard', '--all', '--region', 'north', '--apply'];

  test('of the region alone that is named twice', async () => {
    const { run, runWith, regions } = await createPoisoned();
    for (const confirm of [[], ['--confirm', 'east']]) {
      const refused = await run(...args, ...confirm);
      expect(refused).toMatchObject({ code: 2, json: { error: { code: 'USAGE' } } });
      expect(refused.err).toContain('discard all of the 2 dead letters of north');
    }
    expect(regions.bus.deadLettersOf('north')).toHaveLength(2);
    expect(await runWith({ ask: async () => 'north' }, ...args)).toMatchObject({ code: 0 });
    expect(regions.bus.deadLettersOf('north')).toHaveLength(0);
    for (const name of ['east', 'west']) expect(regions.bus.deadLettersOf(name)).toHaveLength(2);
    expect(await run(...args)).toMatchObject({ code: 0, json: { discarded: [] } });
  });

  test('I19: but those that have come since they were counted', async () => {
    const { runWith, regions, north, poison } = await createPoisoned();
    const ask = async (): Promise<string> => {
      await poison('north', 'three');
      await north.replicator.receiveOnce(new AbortController().signal);
      return 'north';
    };
    const outcome = await runWith({ ask }, '--json', ...args);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.json['discarded']).toHaveLength(2);
    expect(regions.bus.deadLettersOf('north')).toMatchObject([{ messageId: 'three' }]);
  });

  test('and one that is named and not there is told of before', async () => {
    const { run } = await createPoisoned();
    const named = ['dead-letters', 'discard', '999', '--region', 'north'];
    expect(await run(...named)).toMatchObject({ code: 3, json: { missing: ['999'] } });
    expect(await run(...named, '--apply')).toMatchObject({ code: 3, json: { missing: ['999'] } });
  });
});
