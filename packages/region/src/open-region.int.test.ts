import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { encodeConflict, type FieldValue, NEWEST_WIRE_VERSION, rowsKind } from '@tandem/core';
import { createEmulator } from '@tandem/servicebus-emulator';
import { createRecoveryRegion, restoreConflict } from '@tandem/storage';
import { startAzurite } from '@tandem/storage/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from './connections.ts';
import { openRegion } from './open-region.ts';
import { orderKind } from './testing/memory-world.ts';
import { recordLog } from './testing/record-log.ts';
import { until } from './testing/until.ts';

test('D2: the address of an account with its signature behind it is opened by that, and by no identity', async () => {
  const asked: { readonly url: URL; readonly authorization: string | undefined }[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    asked.push({ url: new URL(url, 'http://host'), authorization: headers.authorization });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"value":[]}');
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const store = openStore(`http://127.0.0.1:${port}/shop?sv=2019-02-02&sig=a%2Bb%3D`);
  const page = await store.query({ table: 'Orders', partitions: 'p', limit: 1 });
  expect(page.rows).toEqual([]);
  expect(asked).toHaveLength(1);
  const [{ url, authorization } = {}] = asked;
  expect(url?.pathname).toMatch(/^\/shop\/Orders/);
  expect(url?.searchParams.get('sig')).toBe('a+b=');
  expect(authorization).toBeUndefined();
});

const WAIT = { waitMs: 20_000 };
const ROWS_BUCKETS = 16;

async function startPlace() {
  const [azurite, emulator] = await Promise.all([startAzurite(), createEmulator()]);
  onTestFinished(async () => void (await Promise.all([azurite.stop(), emulator.close()])));
  return { azurite, emulator };
}

type Place = Awaited<ReturnType<typeof startPlace>>;

async function open(region: string, own: Place, peer: { readonly name: string; at: Place }) {
  const opened = await openRegion({
    region,
    store: own.azurite.connectionString,
    tables: { orders: orderKind },
    replicate: true,
    settings: {
      ServiceBusConnection: own.emulator.connectionString,
      RedundancyServiceBusConnection: peer.at.emulator.connectionString,
      'Peer.Region': peer.name,
      'Messages.WireVersion': String(NEWEST_WIRE_VERSION),
    },
    administrationConnection: own.emulator.adminConnectionString,
    logger: recordLog(region).logger,
    shutdownMs: 10_000,
  });
  onTestFinished(async () => void (await opened.stop()));
  return opened;
}

async function openTwoRegions() {
  const [east, west] = await Promise.all([startPlace(), startPlace()]);
  const regions = await Promise.all([
    open('east', east, { name: 'west', at: west }),
    open('west', west, { name: 'east', at: east }),
  ]);
  return { places: { east, west }, east: regions[0], west: regions[1] };
}

describe('two regions of one process over Azurite and the Service Bus emulator', () => {
  test('I9: a session goes on in the other region, and both become ready', async () => {
    const { east, west } = await openTwoRegions();
    const inEast = east.session();
    await inEast.tables.orders.put('ada/001', { item: 'pump', count: 1 });
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    expect((await inWest.tables.orders.get('ada/001'))?.entity.item).toBe('pump');
    await inWest.tables.orders.patch('ada/001', { count: 2 });
    const back = east.session({ token: inWest.token(), ...WAIT });
    expect((await back.tables.orders.list(10)).records).toMatchObject([{ entity: { count: 2 } }]);
    for (const region of [east, west]) {
      await until('the region is ready', async () => (await region.readiness()).kind === 'ready');
    }
  });

  test('I6: one stopped, the other serves, and what it wrote is there once the one is back', async () => {
    const { places, east, west } = await openTwoRegions();
    expect(await west.stop()).toBe(true);
    await east.tables.orders.put('ada/001', { item: 'pump' });
    const again = await open('west', places.west, { name: 'east', at: places.east });
    await until('the order in west', () => again.tables.orders.get('ada/001'));
  });

  test('I20: what the Table service takes is in the other region: a row of 1 MiB, and 100 rows of 4 MiB', async () => {
    const { east, west } = await openTwoRegions();
    await east.catalogue.create('Files', { policy: 'row' });
    const [inEast, inWest] = [east, west].map((region) => region.openTable('Files'));
    const key = { partitionKey: 'p', rowKey: 'large' };
    const large = valuesOf(16, 65_000);
    expect((await inEast!.insert(key, large)).kind).toBe('created');
    const found = await until('the large row in west', () => inWest!.get(key));
    expect(found.values).toEqual(large);

    const rows = Array.from({ length: 100 }, (_, nth) => ({
      kind: 'put' as const,
      partitionKey: 'p',
      rowKey: `r${nth}`,
      values: valuesOf(1, 28_500),
    }));
    expect((await inEast!.transact(rows)).kind).toBe('done');
    const [first] = rows;
    await until('the transaction in west', () => inWest!.get(first!));
    for (const row of rows) expect((await inWest!.get(row))?.values).toEqual(row.values);
  });

  test('I7: of a row of 1 MiB that both regions write at once each has what lost', async () => {
    const { places, east, west } = await openTwoRegions();
    await east.catalogue.create('Files', { policy: 'row' });
    const key = { partitionKey: 'p', rowKey: 'large' };
    const [inEast, inWest] = [east, west].map((region) => region.openTable('Files'));
    await inEast!.insert(key, valuesOf(1, 10));
    await until('the row in west', () => inWest!.get(key));
    const written = [textsOf(16, 32_000), textsOf(16, 32_000)] as const;
    await Promise.all([inEast!.put(key, written[0]), inWest!.put(key, written[1])]);
    const recoveries = Object.entries(places).map(([region, { azurite }]) => {
      const store = openStore(azurite.connectionString);
      return createRecoveryRegion({ region, store, kind: rowsKind, bucketCount: ROWS_BUCKETS });
    });
    const conflictsIn = recoveries.map(({ conflicts }) =>
      until('the conflict, whole', async () => {
        const [one] = await conflicts.list(rowsKind.name, 10);
        return one?.fields.length === 16 && one;
      }),
    );
    const [first, second] = await Promise.all(conflictsIn);
    expect(isDeepStrictEqual(encodeConflict(first!), encodeConflict(second!))).toBe(true);
    // It is recorded before the row.
    const now = await until('the same row in both', async () => {
      const [one, other] = await Promise.all([inEast!.get(key), inWest!.get(key)]);
      return isDeepStrictEqual(one?.values, other?.values) && one;
    });
    const lost = written.find((values) => !isDeepStrictEqual(values, now?.values));
    const recorded = first!.fields.map(({ name, loser }) => [name, loser.value!] as const);
    expect(isDeepStrictEqual(new Map(recorded), lost)).toBe(true);
    expect(
      await restoreConflict({
        conflict: first!,
        recorded: [first!],
        chosen: first!.fields,
        recovery: recoveries[0]!,
        isForced: false,
      }),
    ).toMatchObject({ kind: 'set', fields: { length: 16 } });
    await inEast!.put(key, new Map(recorded));
    await until('what lost in west', async () =>
      isDeepStrictEqual((await inWest!.get(key))?.values, lost),
    );
  });
});

/** Takes so many columns, of bytes that do not deflate: in a request a third more. */
function valuesOf(count: number, bytes: number): ReadonlyMap<string, FieldValue> {
  const columns = Array.from({ length: count }, (_, nth): [string, FieldValue] => [
    `c${nth}`,
    { type: 'Binary', value: new Uint8Array(randomBytes(bytes)) },
  ]);
  return new Map(columns);
}

/**
 * Takes so many columns of text that hardly deflates. Azurite counts what a replacement takes in its request, where bytes
 * are a third longer, and text a half shorter, than in the row.
 */
function textsOf(count: number, chars: number): ReadonlyMap<string, FieldValue> {
  const columns = Array.from({ length: count }, (_, nth): [string, FieldValue] => [
    `c${nth}`,
    { type: 'String', value: randomBytes(chars).toString('base64').slice(0, chars) },
  ]);
  return new Map(columns);
}
