import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createConfiguration } from './create-configuration.ts';
import { tandemSettings } from './definitions.ts';
import { readPeers } from './read-peers.ts';

const EAST = 'Endpoint=sb://tandem-east.servicebus.windows.net/;SharedAccessKey=hush';
const WEST = 'tandem-west.servicebus.windows.net';
const NORTH = 'tandem-north.servicebus.windows.net';

async function peersOf(overrides: Record<string, string>) {
  const configuration = createConfiguration({
    store: createMemoryTableStore(),
    definitions: tandemSettings,
    clock: { nowMs: () => 0 },
    refreshMs: 60_000,
    overrides: { SERVICE_BUS_CONNECTION: EAST, ...overrides },
  });
  await configuration.load();
  return readPeers(configuration, 'east').map((peer) => ({
    ...peer,
    connection: peer.connection.reveal(),
  }));
}

const many = (...peers: object[]) => ({ PEERS: JSON.stringify(peers) });

describe('peers', () => {
  test('in the two-region form there is one, with the queue of the same name', async () => {
    const overrides = { PEER_REGION: 'west', REDUNDANCY_SERVICE_BUS_CONNECTION: WEST };
    expect(await peersOf({ ...overrides, CUSTOMER_QUEUE: 'people' })).toEqual([
      { region: 'west', connection: WEST, queue: 'people' },
    ]);
  });

  test('of several regions each has its namespace and may have its own queue', async () => {
    const overrides = many(
      { region: 'west', connection: WEST },
      { region: 'north', connection: NORTH, queue: 'other' },
    );
    expect(await peersOf({ ...overrides, PEER_REGION: 'ignored' })).toEqual([
      { region: 'west', connection: WEST, queue: 'customer' },
      { region: 'north', connection: NORTH, queue: 'other' },
    ]);
  });

  test('B8: are read from a text with a byte order mark, and named when it is UTF-16', async () => {
    const { PEERS } = many({ region: 'west', connection: WEST });
    expect(await peersOf({ PEERS: `\uFEFF${PEERS}` })).toMatchObject([{ region: 'west' }]);
    const wide = PEERS.replaceAll(/./g, '$&\0');
    await expect(peersOf({ PEERS: wide })).rejects.toThrow(/Peers .*was saved as UTF-16/);
  });

  test.each(['single-region', 'memory'])('there are none in %s', async (mode) => {
    expect(await peersOf({ CUSTOMER_DATA_ACCESS: mode, SERVICE_BUS_CONNECTION: '' })).toEqual([]);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['nothing is set', {}, /set Peer\.Region and RedundancyServiceBusConnection/],
    ['only the region is set', { PEER_REGION: 'west' }, /set RedundancyServiceBusConnection,/],
    [
      'the peer is this region',
      many({ region: 'east', connection: WEST }),
      /"east" is this region/,
    ],
    [
      'two peers have one name',
      many({ region: 'west', connection: WEST }, { region: 'west', connection: NORTH }),
      /"west" is named twice/,
    ],
    [
      'a peer has the queue that this region listens to',
      many({ region: 'west', connection: 'TANDEM-EAST.servicebus.windows.net' }),
      /"west" has the queue that this region listens to: tandem-east\.[a-z.]+\/customer/,
    ],
    [
      'two peers share a queue',
      many({ region: 'west', connection: WEST }, { region: 'north', connection: WEST }),
      /"west" shares its queue .*; "north" shares its queue/,
    ],
  ])('when %s there is an error that says what to do', async (_, overrides, message) => {
    const reading = peersOf(overrides);
    await expect(reading).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.not.toThrow('hush');
  });
});

describe('the settings of Tandem', () => {
  test('a region that replicates needs its own namespace', async () => {
    const loading = peersOf({ SERVICE_BUS_CONNECTION: '' });
    await expect(loading).rejects.toThrow(/ServiceBusConnection .* is missing \(needed while/);
  });

  test('a malformed peer is named by its place, without its connection', async () => {
    const loading = peersOf(many({ region: 'west', connection: 'hush hush' }));
    await expect(loading).rejects.toThrow(
      /Peers .*: does not fit: \/0\/connection must be a connection string/,
    );
    await expect(loading).rejects.not.toThrow('hush hush');
  });

  test('every default follows its own rule', () => {
    for (const [name, { presence, parse }] of Object.entries(tandemSettings)) {
      if (presence.kind !== 'default') continue;
      const parsed = { name, ...parse(String(presence.value)) };
      expect(parsed).toEqual({ name, kind: 'value', value: presence.value });
    }
  });

  test('every example follows its own rule', () => {
    for (const [name, { example, parse }] of Object.entries(tandemSettings)) {
      expect({ name, ...parse(example) }).toMatchObject({ name, kind: 'value' });
    }
  });
});

describe('D1: a connection string that is for another queue', () => {
  const peer = { PEER_REGION: 'west' };
  const key = ';SharedAccessKeyName=n;SharedAccessKey=hush';
  const WEST_KEY = `Endpoint=sb://${WEST}/${key}`;

  test.each([
    [
      {
        SERVICE_BUS_CONNECTION: `${EAST};EntityPath=other`,
        REDUNDANCY_SERVICE_BUS_CONNECTION: WEST,
      },
      /ServiceBusConnection is for the queue "other" alone.*the queue here is "customer".*EntityPath=other/,
    ],
    [
      { REDUNDANCY_SERVICE_BUS_CONNECTION: `${WEST_KEY};entitypath=other` },
      /the connection to "west" is for the queue "other" alone/,
    ],
    [
      many({ region: 'west', connection: `${WEST_KEY};EntityPath=customer`, queue: 'people' }),
      /the connection to "west" is for the queue "customer" alone.*is "people"/,
    ],
  ])('is named, without its key: %j', async (overrides, message) => {
    const reading = peersOf({ ...peer, ...overrides });
    await expect(reading).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.not.toThrow(/hush/);
  });

  test('is taken for its own', async () => {
    const overrides = { REDUNDANCY_SERVICE_BUS_CONNECTION: `${WEST_KEY};EntityPath=CUSTOMER` };
    expect(await peersOf({ ...peer, ...overrides })).toMatchObject([{ region: 'west' }]);
  });
});

describe('D2: connections as they are pasted', () => {
  const tidy = `Endpoint=sb://${WEST}/;SharedAccessKeyName=n;SharedAccessKey=hush=`;

  test.each([
    `${tidy}\n`,
    `"${tidy}"`,
    `\uFEFF${tidy};`,
    ` endpoint=sb://${WEST}/ ; sharedaccesskeyname=n; sharedaccesskey=hush= `,
  ])('%j', async (given) => {
    const one = await peersOf({ PEER_REGION: 'west\n', REDUNDANCY_SERVICE_BUS_CONNECTION: given });
    expect(one).toEqual([{ region: 'west', connection: tidy, queue: 'customer' }]);
    const listed = await peersOf(many({ region: ' west', connection: given }));
    expect(listed).toEqual([{ region: 'west', connection: tidy, queue: 'customer' }]);
  });

  test('what nobody sees is named, and no key with it', async () => {
    const given = tidy.replace('hush', 'hu\u200Bsh');
    const one = peersOf({ PEER_REGION: 'west', REDUNDANCY_SERVICE_BUS_CONNECTION: given });
    await expect(one).rejects.toThrow(/nobody sees, U\+200B, at place/);
    await expect(one).rejects.not.toThrow(/hu.?sh/);
    const bare = peersOf({
      PEER_REGION: 'west',
      REDUNDANCY_SERVICE_BUS_CONNECTION: `Endpoint=sb://${WEST}/`,
    });
    await expect(bare).rejects.toThrow(/without SharedAccessKey/);
  });
});
