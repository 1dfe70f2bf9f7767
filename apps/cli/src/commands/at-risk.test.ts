import { bucketOf, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { CONFIGURATION_TABLE } from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const TRIALS = 20;
const IDS = Array.from({ length: 12 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047c1${n + 10}`);

interface Listed {
  readonly id: string;
  readonly stamp: string;
}

async function listLost({ run }: CliHarness): Promise<ReadonlySet<string>> {
  const { json } = await run('at-risk', '--region', 'east');
  return new Set((json['lost'] as Listed[]).map(({ id, stamp }) => `${id}/${stamp}`));
}

/** Random writes in both regions, with the link from east cut and mended now and then. */
async function writeAtRandom({ regions }: CliHarness, seed: number): Promise<void> {
  const random = createSeededRandomness(seed);
  const { east, west, bus, drive } = regions;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.fraction() * items.length)]!;
  for (let n = 0; n < 40; n += 1) {
    const dice = random.fraction();
    if (dice < 0.1) bus.setDown('west', pick([true, false]));
    else if (dice < 0.2) await drive(east.replicator.sweepOnce());
    else if (dice < 0.3) {
      await drive(west.replicator.receiveOnce(new AbortController().signal).catch(() => 0));
    } else if (dice < 0.4) await regions.clock.advance(3_000);
    else await drive(east.table.put(pick(IDS), { email: `${seed}-${n}@example.com` }));
  }
}

/**
 * Judged by what a reader sees: every write set another e-mail address, so of one customer west has all
 * up to the one that it shows, and nothing of those that came after.
 */
async function findLost({ regions }: CliHarness): Promise<ReadonlySet<string>> {
  const lost = new Set<string>();
  const writes = regions.east.committed.flatMap(({ set }) =>
    set.changes.map(({ entityId, state }) => ({
      entityId,
      stamp: set.stamp,
      email: state.fields.get('email')?.value?.value,
    })),
  );
  for (const [entityId, own] of Map.groupBy(writes, (one) => one.entityId)) {
    const shown = (await regions.west.table.get(entityId))?.entity.email;
    const last = own.findIndex(({ email }) => email === shown);
    for (const { stamp } of own.slice(last + 1)) lost.add(`${entityId}/${stamp}`);
  }
  return lost;
}

describe('tandem at-risk', () => {
  test(`I11: lists exactly the writes that prove missing, in ${TRIALS} random trials`, async () => {
    let lostInAll = 0;
    for (let seed = 1; seed <= TRIALS; seed += 1) {
      const harness = await createCliHarness();
      const { regions } = harness;
      await writeAtRandom(harness, seed);
      const predicted = await listLost(harness);
      // East vanishes, with its tables and its queue; west goes on with what is in its own.
      await emptyTable(regions.east.store, customerKind.name);
      regions.bus.setDown('west', false);
      for (let turn = 0; turn < 20; turn += 1) {
        await regions.drive(regions.west.replicator.receiveOnce(new AbortController().signal));
      }
      const found = await findLost(harness);
      expect(predicted).toEqual(found);
      lostInAll += found.size;
    }
    expect(lostInAll).toBeGreaterThan(TRIALS);
  });

  test('tells what is lost from what is late, and where that is', async () => {
    const { regions, run, runWith } = await createCliHarness();
    await regions.drive(regions.east.table.put(ID, { email: 'sent@example.com' }));
    const sent = await run('at-risk', '--region', 'east');
    expect(sent).toMatchObject({ code: 0, json: { lost: [], outOfReach: [] } });
    expect(sent.json['delayed']).toMatchObject([{ id: ID, places: { west: 'queued' } }]);

    regions.bus.setDown('west', true);
    await regions.drive(regions.east.table.patch(ID, { firstName: 'Ada' }));
    const cut = await run('at-risk', '--region', 'east');
    expect(cut.code).toBe(3);
    expect(cut.json['lost']).toMatchObject([{ id: ID, operation: 'patch' }]);
    expect((await runWith({}, 'at-risk', '--region', 'east')).out).toContain(
      '1 writes would be lost',
    );

    regions.bus.setDown('west', false);
    await regions.clock.advance(20_000);
    await regions.settle();
    const quiet = await run('at-risk', '--region', 'east');
    expect(quiet).toMatchObject({ code: 0, json: { lost: [], delayed: [] } });
  });

  test('tells a person of each write where it is, what is lost before what is late', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const { east } = regions;
    const asOf = (): string => new Date(regions.clock.nowMs()).toISOString();
    expect((await runWith({}, 'at-risk', '--region', 'east')).out).toBe(
      `If east vanished now, 0 writes would be lost and 0 late (as of ${asOf()}).\n`,
    );
    await regions.drive(east.table.put(ID, { email: 'sent@example.com' }));
    regions.bus.setDown('west', true);
    await regions.drive(east.table.patch(ID, { firstName: 'Ada' }));
    const [sent, kept] = east.committed.map(({ set }) => set.stamp);
    expect(linesOf((await runWith({}, 'at-risk', '--region', 'east')).out)).toEqual([
      'fate | id | operation | stamp | where it is',
      `lost | ${ID} | patch | ${kept} | west: nowhere`,
      `delayed | ${ID} | create | ${sent} | west: queued`,
      `If east vanished now, 1 writes would be lost and 1 late (as of ${asOf()}).`,
      '',
    ]);
    const { json } = await run('at-risk', '--region', 'east');
    expect(json).toMatchObject({ lost: [{ stamp: kept }], delayed: [{ stamp: sent }] });
  });

  test('lists the writes of one row where it is told to', async () => {
    const { regions, run } = await createCliHarness();
    regions.bus.setDown('west', true);
    for (const id of IDS)
      await regions.drive(regions.east.table.put(id, { email: 'a@example.com' }));
    const { json } = await run('at-risk', '--region', 'east', '--row', IDS[3]!);
    expect(json['lost']).toMatchObject([{ id: IDS[3] }]);
  });

  test('lists the writes of one bucket where it is told to', async () => {
    const { regions, run } = await createCliHarness();
    regions.bus.setDown('west', true);
    for (const id of IDS)
      await regions.drive(regions.east.table.put(id, { email: 'a@example.com' }));
    const bucket = bucketOf(ID, MEMORY_BUCKET_COUNT);
    const { json } = await run('at-risk', '--region', 'east', '--bucket', bucket);
    const listed = (json['lost'] as Listed[]).map(({ id }) => id).toSorted();
    expect(listed).toEqual(IDS.filter((id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucket));
    expect(listed.length).toBeLessThan(IDS.length);
    expect(await run('at-risk', '--region', 'east', '--bucket', 'zz')).toMatchObject({ code: 2 });
  });

  test('I11: assumes nothing of a peer that is out of reach', async () => {
    const { regions, run, runWith } = await createCliHarness();
    regions.bus.setDown('west', true);
    await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
    regions.west.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'West is down.'));
    const { code, json } = await run('at-risk', '--region', 'east');
    expect(code).toBe(3);
    expect(json).toMatchObject({ outOfReach: ['west'], lost: [{ places: { west: 'not-known' } }] });
    expect((await runWith({}, 'at-risk', '--region', 'east')).out).toContain(
      '\nwest is out of reach: it may have more than is said here.\n',
    );
  });

  test('tells of rows of the outbox that nobody can read, wherever they lie', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const { store } = regions.east;
    const properties = new Map([['owed', { type: 'String' as const, value: 'west' }]]);
    for (const rowKey of ['~o~damaged', '~p~west~damaged']) {
      const operations = [{ kind: 'insert' as const, rowKey, properties }];
      await store.commit({ table: customerKind.name, partitionKey: '00', operations });
    }
    const { code, json } = await run('at-risk', '--region', 'east');
    expect(code).toBe(3);
    expect(json).toMatchObject({ lost: [], unreadable: ['~o~damaged', '~p~west~damaged'] });
    const { out } = await runWith({}, 'at-risk', '--region', 'east');
    expect(out).toContain('2 rows of the outbox cannot be read');
    // As many that are lost do not make up for them.
    regions.bus.setDown('west', true);
    for (const id of IDS.slice(0, 2))
      await regions.drive(regions.east.table.put(id, { email: 'a@example.com' }));
    const both = await run('at-risk', '--region', 'east');
    expect(both).toMatchObject({ code: 3, json: { lost: [{}, {}] } });
    expect(both.json['unreadable']).toHaveLength(2);
  });

  test('refuses a region that is not there, and says when the region itself is out of reach', async () => {
    const { regions, run } = await createCliHarness();
    expect(await run('at-risk', '--region', 'north')).toMatchObject({ code: 2 });
    regions.east.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'East is down.'));
    expect(await run('at-risk', '--region', 'east')).toMatchObject({ code: 4 });
  });
});

test('I11: nobody is told that nothing is at risk in a region whose buckets nobody knows', async () => {
  const { regions, run } = await createCliHarness();
  await regions.east.table.put(ID, { email: 'one@example.com' });
  await emptyTable(regions.east.store, CONFIGURATION_TABLE);
  const { code, err } = await run('at-risk', '--region', 'east');
  expect({ code, told: err.includes('bucket count') }).toEqual({ code: 2, told: true });
  const { json } = await run('status');
  expect(json['regions']).toMatchObject([{ owedIsAtLeast: true }, { owedIsAtLeast: false }]);
});
