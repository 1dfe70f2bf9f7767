import { type TableStore, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  REPLICATION_TABLE,
  recordBucketCount,
} from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import {
  type FindSettingProblemsOptions,
  findNewProblems,
  findSettingProblems,
  type SettingFindings,
} from './find-setting-problems.ts';

const NOW_MS = Date.UTC(2026, 10, 1);
const OWN = { ServiceBusConnection: 'west.servicebus.example' };
const PEER = {
  'Peer.Region': 'east',
  RedundancyServiceBusConnection: 'east.servicebus.example',
};
const PEERS = (...regions: readonly string[]): string =>
  JSON.stringify(regions.map((region) => ({ region, connection: `${region}.servicebus.example` })));

interface Given {
  /** What the table holds; it has no table at all where undefined. */
  readonly settings: Readonly<Record<string, string>> | undefined;
  /** The peers that its running replicator names; none runs where undefined. */
  readonly spoken?: readonly string[];
  readonly overridden?: readonly string[];
  readonly recordedCount?: number;
}

async function createStore({ settings, spoken, overridden, recordedCount }: Given) {
  const store = createMemoryTableStore();
  if (settings !== undefined) {
    await store.createTable(CONFIGURATION_TABLE);
    const operations = Object.entries(settings).map(([rowKey, value]) => ({
      kind: 'insert' as const,
      rowKey,
      properties: new Map([['value', { type: 'String' as const, value }]]),
    }));
    const partitionKey = CONFIGURATION_TABLE;
    if (operations.length > 0) {
      await store.commit({ table: CONFIGURATION_TABLE, partitionKey, operations });
    }
    if (recordedCount !== undefined) await recordBucketCount(store, customerKind, recordedCount);
  }
  if (spoken === undefined) return store;
  await store.createTable(REPLICATION_TABLE);
  await createTableReplicationStatus({ store }).beat({
    nowMs: NOW_MS,
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: spoken.map((peer) => ({ peer, passedMs: undefined, isReachable: true })),
    ...(overridden === undefined ? {} : { overriddenSettings: overridden }),
  });
  return store;
}

const find = (store: TableStore, options: Partial<FindSettingProblemsOptions> = {}) =>
  findSettingProblems(
    { name: 'west', store },
    { kind: customerKind, clock: createVirtualClock(NOW_MS), ...options },
  );

const findIn = async (given: Given, options?: Partial<FindSettingProblemsOptions>) =>
  find(await createStore(given), options);

describe('B3: what would keep the services of a region from starting', () => {
  test('is nothing where the table has all that a start asks for', async () => {
    const sound = { problems: [], elsewhere: [], old: [], overridden: [] };
    expect(await findIn({ settings: { ...OWN, ...PEER } })).toEqual(sound);
    expect(await findIn({ settings: { ...OWN, Peers: PEERS('east', 'north') } })).toEqual(sound);
    expect(await findIn({ settings: { ...OWN, ...PEER }, spoken: ['east'] })).toEqual(sound);
  });

  test('is everything where there is no such table yet', async () => {
    const { problems, elsewhere } = await findIn({ settings: undefined });
    expect(problems).toEqual([
      expect.stringContaining('ServiceBusConnection'),
      expect.stringContaining('no peer is named'),
    ]);
    expect(elsewhere).toEqual([]);
    expect((await findIn({ settings: {} })).problems).toEqual(problems);
  });

  test('is told by nobody where the store cannot be asked', async () => {
    const store = await createStore({ settings: { ...OWN, ...PEER } });
    for (const failure of [new TransientError('TABLE_UNAVAILABLE', 'down'), new Error('bug')]) {
      const down = { ...store, query: () => Promise.reject(failure) };
      await expect(find(down)).rejects.toBe(failure);
    }
  });

  test('is asked of what the table would hold, not of what it holds', async () => {
    const given = { settings: { ...OWN, ...PEER } };
    const removed = await findIn(given, { changed: new Map([['Peer.Region', undefined]]) });
    expect(removed.problems).toEqual([expect.stringContaining('no peer is named')]);
    const changed = await findIn(given, { changed: new Map([['Tombstone.AgeMs', '1']]) });
    expect(changed.problems).toEqual([expect.stringContaining('Tombstone.AgeMs')]);
    const mended = await findIn(
      { settings: { ...given.settings, 'Tombstone.AgeMs': '1' } },
      { changed: new Map([['Tombstone.AgeMs', undefined]]) },
    );
    expect(mended.problems).toEqual([]);
  });

  test.each([
    ['Peers', '{'],
    ['Peers', '[{"region":"east"}]'],
    ['Customer.Queue', ' '.repeat(3) + 'no/queue?'],
    ['Customer.DataAccess', 'somewhere'],
    ['Peer.Region', 'East!'],
    ['RedundancyServiceBusConnection', 'Endpoint=nowhere'],
  ])('names a malformed %s once, and says nothing further of peers', async (setting, text) => {
    // The region would be its own peer, which is told of what is well formed alone.
    const settings = { ...OWN, ...PEER, 'Peer.Region': 'west', [setting]: text };
    const { problems } = await findIn({ settings });
    expect(problems).toEqual([expect.stringContaining(setting)]);
  });

  test('is told of the peers although another setting is malformed', async () => {
    const settings = { ...OWN, ...PEER, 'Peer.Region': 'west', 'Tombstone.AgeMs': 'soon' };
    expect((await findIn({ settings })).problems).toEqual([
      expect.stringContaining('Tombstone.AgeMs'),
      expect.stringContaining('"west" is this region'),
    ]);
  });
});

describe('another number of buckets', () => {
  const settings = { ...OWN, ...PEER, 'Tables.BucketCount': '8' };

  test('than the table records is a problem, and the recorded one is none', async () => {
    const { problems } = await findIn({ settings, recordedCount: 4 });
    expect(problems).toEqual([expect.stringMatching(/8 buckets are asked for.* records 4 /s)]);
    expect((await findIn({ settings, recordedCount: 8 })).problems).toEqual([]);
    expect((await findIn({ settings })).problems).toEqual([]);
  });

  test('is none where nothing is kept', async () => {
    const inMemory = { ...settings, 'Customer.DataAccess': 'memory' };
    expect((await findIn({ settings: inMemory, recordedCount: 4 })).problems).toEqual([]);
  });

  test('is not judged by a text that is no number', async () => {
    const given = { settings: { ...settings, 'Tables.BucketCount': 'many' }, recordedCount: 4 };
    expect((await findIn(given)).problems).toEqual([expect.stringContaining('Tables.BucketCount')]);
  });
});

describe('what the table lacks and a running replicator has from its environment', () => {
  test.each<[string, Readonly<Record<string, string>>, readonly string[], readonly string[]]>([
    ['its own bus', PEER, ['east'], ['ServiceBusConnection']],
    [
      'its own bus, set to nothing',
      { ...PEER, ServiceBusConnection: '' },
      ['east'],
      ['ServiceBusConnection'],
    ],
    ['its peers', OWN, ['east', 'north'], ['Peers']],
    ['its peers, set by half', { ...OWN, 'Peer.Region': 'east' }, ['east'], ['Peers']],
    [
      'its peers, set by the other half',
      { ...OWN, RedundancyServiceBusConnection: 'east.servicebus.example' },
      ['east'],
      ['Peers'],
    ],
    ['that it has no peers', OWN, [], ['Customer.DataAccess']],
    ['nothing, where the list is there', { ...OWN, Peers: PEERS('east') }, ['north'], []],
    [
      'nothing, where it says itself that it has no peers',
      { ...OWN, 'Customer.DataAccess': 'single-region' },
      [],
      [],
    ],
    ['all of it', {}, ['east'], ['ServiceBusConnection', 'Peers']],
  ])('is no problem: %s', async (_, settings, spoken, elsewhere) => {
    expect(await findIn({ settings, spoken })).toMatchObject({ problems: [], elsewhere });
  });

  test('counts for nothing where the table alone is asked', async () => {
    const alone = await findIn({ settings: PEER, spoken: ['east'] }, { isTableAlone: true });
    expect(alone.elsewhere).toEqual([]);
    expect(alone.problems).toEqual([expect.stringContaining('ServiceBusConnection')]);
  });

  test('is nothing where no replicator runs', async () => {
    const { elsewhere, problems } = await findIn({ settings: OWN });
    expect(elsewhere).toEqual([]);
    expect(problems).toEqual([expect.stringContaining('no peer is named')]);
  });
});

test('names what stands under a former name, and what the environment overrides', async () => {
  const found = await findIn({
    settings: { ...OWN, ...PEER, 'Customer.BucketCount': '4' },
    spoken: ['east'],
    overridden: ['Sweep.IntervalMs', 'Setting.OfANewerBuild'],
  });
  expect(found).toMatchObject({
    problems: [],
    old: [{ formerName: 'Customer.BucketCount', setting: 'Tables.BucketCount', counts: true }],
    overridden: ['Sweep.IntervalMs'],
  });
});

describe('who mends one thing after the other', () => {
  const found = (...problems: readonly string[]): SettingFindings => ({
    problems,
    elsewhere: [],
    old: [],
    overridden: [],
  });
  const INCOMPLETE = 'no peer is named: set Peer.Region';

  test('is told of what was not there before alone', () => {
    expect(findNewProblems(found('a', 'b'), found('b', 'c'))).toEqual(['c']);
    expect(findNewProblems(found(), found('a'))).toEqual(['a']);
  });

  test('is not kept from it by a peer that is set by half, unless it was whole before', () => {
    const after = found(`${INCOMPLETE}.`, 'c');
    expect(findNewProblems(found('a', INCOMPLETE), after)).toEqual(['c']);
    expect(findNewProblems(found('a'), after)).toEqual([`${INCOMPLETE}.`, 'c']);
  });
});
