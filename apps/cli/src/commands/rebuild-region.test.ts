import { customerKind } from '@tandem/core/customers';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableLease,
  createTableRegionHold,
  createTableReplicationStatus,
  REPLICATION_TABLE,
  readConfigurationRow,
} from '@tandem/storage';
import { emptyTable, expectReplayable, MEMORY_TOMBSTONE_AGE_MS } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const TABLES = [
  customerKind.name,
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  CONFIGURATION_TABLE,
  REPLICATION_TABLE,
];

function idOf(n: number): string {
  return `00b479c9-f61f-451a-86d2-${String(n).padStart(12, '0')}`;
}

/** Both regions have written; then west has a new, empty account. */
async function createLost(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { east, west } = harness.regions;
  for (let n = 0; n < 20; n += 1) {
    await (n % 2 === 0 ? east : west).table.put(idOf(n), { email: `${n}@example.com` });
  }
  await harness.regions.settle();
  await east.table.remove(idOf(3));
  await east.table.patch(idOf(4), { firstName: 'east' });
  await west.table.patch(idOf(4), { lastName: 'west' });
  await harness.regions.settle();
  for (const table of TABLES) await emptyTable(west.store, table);
  return harness;
}

describe('tandem rebuild-region', () => {
  test('fills a region whose account is gone, and releases it when it is proven equal', async () => {
    const { regions, run, runWith } = await createLost();
    const { code, json } = await run('rebuild-region', 'west', '--apply');
    expect(code).toBe(0);
    expect(json).toMatchObject({ applied: true, equal: true, rowsWritten: 20, damaged: [] });
    expect(json['rowsPerS']).toBeGreaterThan(0);
    const { store } = regions.west;
    expect(await createTableRegionHold({ store }).read()).toBeUndefined();
    expect(await readConfigurationRow(store, 'Peer.Region')).toBe('east');
    expect(await readConfigurationRow(store, 'ServiceBusConnection')).toContain('west');
    expect(await run('verify')).toMatchObject({ code: 0 });
    await expectReplayable(regions.west, customerKind);
    expect((await runWith({}, 'rebuild-region', 'west')).out).toContain('--apply');
  });

  test('I4: stays held over what may have been deleted long ago, until an operator decides', async () => {
    const { regions, run, runWith } = await createCliHarness();
    await regions.east.table.put(idOf(1), { email: 'old@example.com' });
    await regions.settle();
    await emptyTable(regions.east.store, customerKind.name);
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    const rebuilt = await run('rebuild-region', 'west', '--apply');
    expect(rebuilt).toMatchObject({ code: 3, json: { equal: false, doubtful: [{ id: idOf(1) }] } });
    expect(await createTableRegionHold(regions.west).read()).toBeDefined();
    expect(await regions.east.table.get(idOf(1))).toBeUndefined();
    const { out } = await runWith({}, 'rebuild-region', 'west', '--apply');
    expect(out).toContain('tandem repair --include-old');

    expect(await run('repair', '--include-old', '--apply')).toMatchObject({ code: 0 });
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });

  test('I14: holds the region from before its tables are there until it is proven equal', async () => {
    const { regions, runWith } = await createLost();
    const { store } = regions.west;
    const hold = createTableRegionHold({ store });
    let seen = 0;
    let held = 0;
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      seen += 1;
      held += (await hold.read()) === undefined ? 0 : 1;
    });
    await runWith({}, 'rebuild-region', 'west', '--apply');
    expect(seen).toBeGreaterThan(0);
    expect(held).toBe(seen);
  });

  test('interrupted, leaves it held, and goes on with the same command', async () => {
    const { regions, run, runWith } = await createLost();
    const { store } = regions.west;
    const stop = new AbortController();
    store.beforeCommit(({ table }) => {
      if (table === customerKind.name) stop.abort();
    });
    const cut = await runWith({ signal: stop.signal }, 'rebuild-region', 'west', '--apply');
    expect(cut.code).toBe(130);
    expect(await createTableRegionHold({ store }).read()).toBeDefined();
    store.beforeCommit(() => undefined);
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await createTableRegionHold({ store }).read()).toBeUndefined();
  });

  test.each(['west', 'east'] as const)(
    'holds nothing back while someone else recovers %s',
    async (busy) => {
      const { regions, run } = await createLost();
      const { store } = regions[busy];
      const lease = createTableLease({
        store,
        clock: regions.clock,
        name: 'recovery',
        holder: 'another',
      });
      await lease.acquire(60_000);
      expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 6 });
      expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
      await lease.release();
      expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    },
  );

  test('holds nothing back when the inventory says too little of the region', async () => {
    const { regions, inventory, runWith } = await createLost();
    const environment = { TANDEM_REGIONS: inventory.replaceAll(/,"serviceBus":"[^"]+"/g, '') };
    const refused = await runWith({ environment }, 'rebuild-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('serviceBus') });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });

  test('does nothing before it is told to, and nothing to a region that is not there', async () => {
    const { regions, run } = await createLost();
    const { code, json } = await run('rebuild-region', 'west');
    expect({ code, applied: json['applied'] }).toEqual({ code: 0, applied: false });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
    expect(await run('rebuild-region', 'north', '--apply')).toMatchObject({ code: 2 });
  });
});

/** East's Configuration names this peer, or none, as where the environment of its services does. */
async function nameInEast({ regions }: CliHarness, peer: string): Promise<void> {
  const properties = new Map([['value', { type: 'String' as const, value: peer }]]);
  const operations = [{ kind: 'upsert' as const, rowKey: 'Peer.Region', properties }];
  const partitionKey = CONFIGURATION_TABLE;
  await regions.east.store.commit({ table: CONFIGURATION_TABLE, partitionKey, operations });
}

async function beatInEast({ regions }: CliHarness, peer: string): Promise<void> {
  await createTableReplicationStatus(regions.east).beat({
    nowMs: regions.clock.nowMs(),
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer, passedMs: undefined, isReachable: true }],
  });
}

describe('tandem add-region', () => {
  test('fills no region that the others do not send to', async () => {
    const harness = await createLost();
    await emptyTable(harness.regions.east.store, REPLICATION_TABLE);
    await nameInEast(harness, 'north');
    const refused = await harness.run('add-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
    expect(refused.err).toContain('east');
  });

  test('fills one that they do', async () => {
    const { run } = await createLost();
    expect(await run('add-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('fills one that only the environment of their services names', async () => {
    const harness = await createLost();
    await nameInEast(harness, '');
    await beatInEast(harness, 'west');
    expect(await harness.run('add-region', 'west', '--apply')).toMatchObject({ code: 0 });
  });

  test('fills none that is only set, and that the running replicator does not know yet', async () => {
    const harness = await createLost();
    await nameInEast(harness, 'west');
    await beatInEast(harness, 'north');
    const refused = await harness.run('add-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
  });
});

test('tandem release-region lets a held region go when it is told to', async () => {
  const { regions, run } = await createCliHarness();
  const hold = createTableRegionHold(regions.west);
  await hold.set({ reason: 'The table Customers was gone.', sinceMs: 0 });
  expect(await run('release-region', 'west')).toMatchObject({ code: 0, json: { held: true } });
  expect(await hold.read()).toBeDefined();
  expect(await run('release-region', 'west', '--apply')).toMatchObject({ json: { held: false } });
  expect(await hold.read()).toBeUndefined();
});
