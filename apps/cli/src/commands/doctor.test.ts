import { type AppError, type Notice, TerminalError, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableLease,
  createTableRegionHold,
  createTableReplicationStatus,
  REPLICATION_TABLE,
} from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT, MEMORY_TOMBSTONE_AGE_MS } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { type CliHarness, type CliRun, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

interface Found {
  readonly region: string;
  readonly check: string;
  readonly finding: string;
  readonly remedy: string;
}

function findingsOf({ json }: CliRun): readonly Found[] {
  return json['findings'] as readonly Found[];
}

async function examine(spoil: (harness: CliHarness) => Promise<unknown>): Promise<CliRun> {
  const harness = await createCliHarness();
  await spoil(harness);
  return harness.run('doctor');
}

test('tandem doctor finds nothing where all is well', async () => {
  const run = await examine(async () => undefined);
  expect(run).toMatchObject({ code: 0, json: { findings: [] } });
});

test.each<[string, string, (harness: CliHarness) => Promise<unknown>]>([
  [
    'storage',
    'up',
    async ({ regions }) => {
      regions.west.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'West is down.'));
    },
  ],
  [
    'storage',
    'Storage Table Data Contributor',
    async ({ regions }) => {
      regions.west.store.setOutage(new TerminalError('TABLE_FORBIDDEN', 'No rights in west.'));
    },
  ],
  [
    'settings',
    'config set',
    async ({ regions }) => {
      const properties = new Map([['value', { type: 'String' as const, value: 'west' }]]);
      const operations = [{ kind: 'upsert' as const, rowKey: 'Peer.Region', properties }];
      const table = CONFIGURATION_TABLE;
      await regions.west.store.commit({ table, partitionKey: table, operations });
    },
  ],
  [
    'hold',
    'rebuild-region west',
    ({ regions }) =>
      createTableRegionHold(regions.west).set({ reason: 'A table was gone.', sinceMs: 0 }),
  ],
  [
    'clock',
    'NTP',
    ({ regions }) =>
      createTableReplicationStatus(regions.west).beat({
        nowMs: regions.clock.nowMs() + 60_000,
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: [],
      }),
  ],
  [
    'queue',
    'dead-letters list',
    async ({ regions }) => {
      const body = new TextEncoder().encode('poison');
      await regions.bus
        .publisherFor('west', 'west')
        .publish([{ messageId: 'p', subject: 'change-set', body }]);
      await regions.drive(regions.west.replicator.receiveOnce(new AbortController().signal));
    },
  ],
])(
  'tandem doctor finds trouble with %s, and names the remedy: %s',
  async (check, remedy, spoil) => {
    const run = await examine(spoil);
    expect(run.code).toBe(3);
    const found = findingsOf(run).filter((one) => one.region === 'west');
    expect(found.map((one) => one.check)).toContain(check);
    // The other region is well, and one that cannot be opened is not compared with it.
    expect(found).toHaveLength(findingsOf(run).length);
    expect(found.find((one) => one.check === check)?.remedy).toContain(remedy);
  },
);

test('tandem doctor compares the regions with each other', async () => {
  const run = await examine(({ run: set }) =>
    set('config', 'set', 'Tombstone.AgeMs', '86400000', '--region', 'west', '--apply'),
  );
  expect(findingsOf(run)).toEqual([
    {
      region: 'all',
      check: 'tombstone ages',
      finding: `east ${MEMORY_TOMBSTONE_AGE_MS} ms, west 86400000 ms`,
      remedy: 'set Tombstone.AgeMs alike',
    },
  ]);
});

test('B5: tandem doctor compares settings by what they mean, not by how they are written', async () => {
  const { run } = await createCliHarness();
  const set = (region: string, text: string) =>
    run('config', 'set', 'Tombstone.AgeMs', text, '--region', region, '--apply');
  await set('west', String(MEMORY_TOMBSTONE_AGE_MS));
  expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
  await set('east', `0${MEMORY_TOMBSTONE_AGE_MS}`);
  expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
  await set('east', String(MEMORY_TOMBSTONE_AGE_MS + 1));
  expect(await run('doctor')).toMatchObject({ code: 3 });
});

test('tandem doctor tells what is unlike in a queue, and that one is missing', async () => {
  const { runWith } = await createCliHarness();
  const difference = { property: 'maxDeliveryCount', expected: '2000', actual: '10' };
  const unlike = await runWith({ inspectQueue: async () => [difference] }, '--json', 'doctor');
  expect(findingsOf(unlike)[0]).toMatchObject({ finding: 'maxDeliveryCount is 10' });
  const missing = await runWith({ inspectQueue: async () => undefined }, 'doctor');
  expect(missing.out).toContain('there is no queue');
});

/** What is found in west alone. */
async function foundInWest(
  spoil: (harness: CliHarness) => Promise<unknown>,
): Promise<readonly Found[]> {
  return findingsOf(await examine(spoil)).filter(({ region }) => region === 'west');
}

function beatInWest({ regions }: CliHarness, aheadMs: number, notices?: readonly Notice[]) {
  return createTableReplicationStatus(regions.west).beat({
    nowMs: regions.clock.nowMs() + aheadMs,
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [],
    ...(notices === undefined ? {} : { notices }),
  });
}

test('tandem doctor says to a person that it found nothing, and where it looked', async () => {
  const { runWith } = await createCliHarness();
  expect((await runWith({}, 'doctor')).out).toBe('Nothing found in east, west.\n');
});

test.each([customerKind.name, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE])(
  'tandem doctor misses the table %s, and examines the rest all the same',
  async (missing) => {
    const found = await foundInWest(async ({ regions }) => {
      const { store } = regions.west;
      const { query } = store;
      store.query = async (range) => {
        if (range.table !== missing) return query(range);
        throw new TerminalError('TABLE_MISSING', `There is no table ${missing}.`);
      };
      await createTableRegionHold(regions.west).set({ reason: 'A table was gone.', sinceMs: 0 });
    });
    expect(found).toContainEqual({
      region: 'west',
      check: 'tables',
      finding: `TABLE_MISSING: There is no table ${missing}.`,
      remedy: 'tandem rebuild-region, or start its services',
    });
    expect(found.map(({ check }) => check)).toContain('hold');
  },
);

test('tandem doctor tells of a region that records no bucket count, or another one', async () => {
  const none = await examine(({ regions }) => emptyTable(regions.west.store, CONFIGURATION_TABLE));
  expect(findingsOf(none)).toContainEqual({
    region: 'west',
    check: 'tables',
    finding: 'no bucket count is recorded',
    remedy: 'start its services, or tandem rebuild-region',
  });
  expect(findingsOf(none)).toContainEqual({
    region: 'all',
    check: 'bucket counts',
    finding: `east ${MEMORY_BUCKET_COUNT}, west 0`,
    remedy: 'rebuild one with the other count: they cannot be compared',
  });
});

test('tandem doctor leaves no lease behind, and takes none from who recovers', async () => {
  const { regions, run } = await createCliHarness();
  const leaseOf = (holder: string) =>
    createTableLease({ ...regions.west, clock: regions.clock, name: 'recovery', holder });
  expect(await run('doctor')).toMatchObject({ code: 0 });
  expect(await leaseOf('one').acquire(60_000)).toBe(true);
  expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
  expect(await leaseOf('two').acquire(60_000)).toBe(false);
});

test('tandem doctor tells who may not write', async () => {
  const found = await foundInWest(async ({ regions }) => {
    regions.west.store.beforeCommit(() => {
      throw new TerminalError('TABLE_FORBIDDEN', 'This identity may not write.');
    });
  });
  expect(found).toEqual([
    {
      region: 'west',
      check: 'rights',
      finding: 'TABLE_FORBIDDEN: This identity may not write.',
      remedy: 'give this identity the role Storage Table Data Contributor',
    },
  ]);
});

test('tandem doctor allows a clock to be five seconds ahead, and says by how much one is', async () => {
  expect(await foundInWest((harness) => beatInWest(harness, 5_000))).toEqual([]);
  expect(await foundInWest((harness) => beatInWest(harness, 7_600))).toEqual([
    {
      region: 'west',
      check: 'clock',
      finding: "its replicator's clock is 8 s ahead of this one",
      remedy: 'set the clocks by NTP',
    },
  ]);
});

test('tandem doctor says why a region is held, and how many dead letters there are', async () => {
  const found = await foundInWest(async ({ regions }) => {
    await createTableRegionHold(regions.west).set({ reason: 'A table was gone.', sinceMs: 0 });
    const body = new TextEncoder().encode('poison');
    const poison = ['p', 'q'].map((messageId) => ({
      messageId,
      subject: 'change-set' as const,
      body,
    }));
    await regions.bus.publisherFor('west', 'west').publish(poison);
    await regions.drive(regions.west.replicator.receiveOnce(new AbortController().signal));
  });
  expect(found).toContainEqual({
    region: 'west',
    check: 'hold',
    finding: 'A table was gone.',
    remedy: 'tandem rebuild-region west',
  });
  expect(found).toContainEqual({
    region: 'west',
    check: 'queue',
    finding: '2 dead letters',
    remedy: 'tandem dead-letters list --region west',
  });
});

test.each<[AppError, string]>([
  [new TransientError('BUS_UNAVAILABLE', 'No.'), 'see whether the namespace is up'],
  [new TerminalError('BUS_FORBIDDEN', 'No.'), 'the role Azure Service Bus Data Owner'],
  [new TerminalError('BUS_ENTITY_MISSING', 'No.'), 'start the replicator: it makes its queue'],
  [new TransientError('BUS_THROTTLED', 'No.'), ''],
])('tandem doctor names the remedy for a queue that does not answer: %s', async (error, remedy) => {
  const { regions, runWith } = await createCliHarness();
  const silent: Io['openQueue'] = ({ connection }) => ({
    ...regions.bus.viewerFor(connection.split('.')[0] ?? ''),
    peek: async () => {
      throw error;
    },
  });
  const run = await runWith({ openQueue: silent }, '--json', 'doctor');
  const [found, ...others] = findingsOf(run).filter(({ region }) => region === 'east');
  expect(others).toEqual([]);
  expect(found).toMatchObject({ check: 'queue', finding: `${error.code}: No.` });
  expect(found?.remedy.includes(remedy)).toBe(true);
  expect(found?.remedy === '').toBe(remedy === '');
});

test('tandem doctor tells a person of each difference of a queue in a row, with its remedy', async () => {
  const { runWith } = await createCliHarness();
  const difference = { property: 'maxDeliveryCount', expected: '2000', actual: '10' };
  const { out, code } = await runWith({ inspectQueue: async () => [difference] }, 'doctor');
  expect(code).toBe(3);
  expect(linesOf(out)).toContain('region | check | finding | remedy');
  expect(linesOf(out)).toContain(
    'west | queue properties | maxDeliveryCount is 10 | set it to 2000',
  );
});

test('tandem doctor lets an error pass that no service gives: it is a bug of ours', async () => {
  const { runWith } = await createCliHarness();
  const bug = async () => {
    throw new Error('a bug');
  };
  await expect(runWith({ inspectQueue: bug }, 'doctor')).rejects.toThrow('a bug');
});

test('tandem doctor compares the tombstone ages of those that tell', async () => {
  const run = await examine(async ({ regions, run: set }) => {
    await set('config', 'set', 'Tombstone.AgeMs', '86400000', '--region', 'west', '--apply');
    const { get } = regions.west.store;
    regions.west.store.get = async (table, partitionKey, rowKey) => {
      if (rowKey !== 'Tombstone.AgeMs') return get(table, partitionKey, rowKey);
      throw new TransientError('TABLE_UNAVAILABLE', 'West is down.');
    };
  });
  expect(findingsOf(run).filter(({ check }) => check === 'tombstone ages')).toEqual([]);
});

describe('tandem doctor about rows that nobody reads', () => {
  const spoilRows =
    (count: number) =>
    async ({ regions }: CliHarness): Promise<void> => {
      const operations = Array.from({ length: count }, (_, index) => ({
        kind: 'upsert' as const,
        rowKey: `~o~${String(index).padStart(2, '0')}`,
        properties: new Map([
          ['payload0', { type: 'Binary' as const, value: new Uint8Array([1, 2, 3]) }],
        ]),
      }));
      const table = customerKind.name;
      await regions.west.store.commit({ table, partitionKey: '00', operations });
    };
  const rowsIn = (found: readonly Found[]) => found.filter(({ check }) => check === 'rows');

  test('names ten of them', async () => {
    const rows = rowsIn(await foundInWest(spoilRows(10)));
    expect(rows).toHaveLength(10);
    expect(rows[0]?.finding).toContain(`damaged: ${customerKind.name}/00/~o~00: `);
    expect(rows[0]?.remedy).toBe(
      `tandem damaged-rows show ${customerKind.name}/00/~o~00 --region west`,
    );
  });

  test('counts the others', async () => {
    const rows = rowsIn(await foundInWest(spoilRows(12)));
    expect(rows).toHaveLength(11);
    expect(rows.at(-1)).toEqual({
      region: 'west',
      check: 'rows',
      finding: '2 more rows that nobody reads',
      remedy: 'tandem damaged-rows list --region west',
    });
  });

  test('tells what a replicator noticed, but not twice of one row', async () => {
    const found = await foundInWest(async (harness) => {
      await spoilRows(1)(harness);
      const nowMs = harness.regions.clock.nowMs();
      const noticed = { detail: 'why', count: 3, sinceMs: nowMs, lastMs: nowMs };
      await beatInWest(harness, 0, [
        { ...noticed, kind: 'outbox-row-damaged', subject: `${customerKind.name}/00/~o~00` },
        { ...noticed, kind: 'outbox-row-stuck', subject: 'x' },
      ]);
    });
    expect(found.filter(({ check }) => check === 'notices')).toEqual([
      {
        region: 'west',
        check: 'notices',
        finding: 'outbox-row-stuck: x: why (3 times)',
        remedy: 'tandem damaged-rows set-aside … --region west; see docs/runbooks/damage.md',
      },
    ]);
    expect(rowsIn(found)).toHaveLength(1);
  });

  test('looks for none where no bucket count is recorded', async () => {
    const found = await foundInWest(async (harness) => {
      await spoilRows(1)(harness);
      await emptyTable(harness.regions.west.store, CONFIGURATION_TABLE);
    });
    expect(rowsIn(found)).toEqual([]);
  });
});
