import { TransientError } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  REPLICATION_TABLE,
} from '@tandem/storage';
import { expect, test } from 'vitest';
import { readPeerNames, readSpokenPeers } from './read-peer-names.ts';

const NOW_MS = Date.UTC(2026, 10, 1);

async function setUp(settings: Readonly<Record<string, string>>, spokeMs?: number) {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
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
  if (spokeMs !== undefined) {
    await createTableReplicationStatus({ store }).beat({
      nowMs: spokeMs,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'spoken', passedMs: undefined, isReachable: true }],
    });
  }
  return { region: { store }, clock: createVirtualClock(NOW_MS) };
}

const PEERS = JSON.stringify([
  { region: 'west', connection: 'w.example' },
  { region: 'north', connection: 'n.example' },
]);

test.each<[string, Readonly<Record<string, string>>, number | undefined, readonly string[]]>([
  ['what the running replicator says', { Peers: PEERS }, NOW_MS - 60_000, ['spoken']],
  ['what is listed, once it is silent', { Peers: PEERS }, NOW_MS - 60_001, ['west', 'north']],
  ['what is listed, when its clock is wrong', { Peers: PEERS }, NOW_MS + 60_001, ['west', 'north']],
  [
    'what is said by a clock that may drift so far',
    { Peers: PEERS, 'Clock.DriftMsMax': '120000' },
    NOW_MS + 60_001,
    ['spoken'],
  ],
  [
    'the list before the single one',
    { Peers: PEERS, 'Peer.Region': 'x' },
    undefined,
    ['west', 'north'],
  ],
  ['the single one', { 'Peer.Region': 'west' }, NOW_MS - 99_999, ['west']],
  [
    'the single one beside a list that nobody can read',
    { Peers: '{', 'Peer.Region': 'west' },
    undefined,
    ['west'],
  ],
  ['what was said last, where nothing is set', { 'Peer.Region': '' }, NOW_MS - 99_999, ['spoken']],
  ['nothing, where nobody can tell', {}, undefined, []],
])('the peers of a region are %s', async (_, settings, spokeMs, names) => {
  const { region, clock } = await setUp(settings, spokeMs);
  expect(await readPeerNames(region, clock)).toEqual(names);
});

test.each([
  [NOW_MS - 60_000, ['spoken']],
  [NOW_MS - 60_001, undefined],
  [NOW_MS + 60_001, undefined],
  [undefined, undefined],
])('spoken are peers only by a replicator that is heard', async (spokeMs, names) => {
  const { region, clock } = await setUp({ Peers: PEERS }, spokeMs);
  expect(await readSpokenPeers(region, clock)).toEqual(names);
});

test('a region without tables speaks of none', async () => {
  const region = { store: createMemoryTableStore() };
  expect(await readSpokenPeers(region, createVirtualClock(NOW_MS))).toBeUndefined();
});

test('a region that is out of reach is not taken for one that is silent', async () => {
  const down = new TransientError('TABLE_UNAVAILABLE', 'It does not answer.');
  const region = { store: { ...createMemoryTableStore(), get: () => Promise.reject(down) } };
  await expect(readSpokenPeers(region, createVirtualClock(NOW_MS))).rejects.toBe(down);
});
