import { describe, expect, test } from 'vitest';
import { encodeSeen } from './consistency/seen.ts';
import { createWorld, drive, openTwo, regionOf } from './testing/memory-world.ts';

const WAIT = { waitMs: 20_000 };

async function setUp() {
  const world = createWorld();
  const { east, west } = await openTwo(world);
  await world.clock.advance(5_000);
  return { world, east: east.region, west: west.region };
}

describe('I9: a session', () => {
  test('shows in another region what it has written, as soon as that row is there', async () => {
    const { world, east, west } = await setUp();
    const inEast = east.session();
    await drive(world, inEast.tables.orders.put('o-1', { item: 'pump' }));
    const begunMs = world.clock.nowMs();
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const read = await drive(world, inWest.tables.orders.get('o-1'));
    expect(read?.entity.item).toBe('pump');
    // No watermark is as early as that.
    expect(world.clock.nowMs() - begunMs).toBeLessThan(1_000);
  });

  test('shows all that it has met, in a list and in rows that its token no longer names', async () => {
    const { world, east, west } = await setUp();
    const inEast = east.session();
    for (let number = 0; number < 12; number += 1) {
      await drive(world, inEast.tables.orders.put(`o-${number}`, { item: 'pump' }));
    }
    const token = inEast.token();
    const listing = west.session({ token, ...WAIT }).tables.orders.list(100);
    expect((await drive(world, listing)).records).toHaveLength(12);
    const reading = west.session({ token, ...WAIT }).tables.orders.get('o-0');
    expect(await drive(world, reading)).toBeDefined();
  });

  test('sees a deletion that it has made', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.tables.orders.put('o-1', { item: 'pump' }));
    await world.clock.advance(5_000);
    const inEast = east.session();
    await drive(world, inEast.tables.orders.remove('o-1'));
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    expect(await drive(world, inWest.tables.orders.get('o-1'))).toBeUndefined();
  });

  test('writes on nothing older than what it has seen', async () => {
    const { world, east, west } = await setUp();
    const inEast = east.session();
    await drive(world, inEast.tables.orders.put('o-1', { item: 'pump', count: 1 }));
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const patched = await drive(world, inWest.tables.orders.patch('o-1', { count: 2 }));
    expect(patched).toMatchObject({ record: { entity: { item: 'pump', count: 2 } } });
  });

  test('shows a transaction whole, in the order of its keys', async () => {
    const { world, east, west } = await setUp();
    const inEast = east.session();
    const put = (order: string) =>
      ({ kind: 'put', entityId: `ada/${order}`, entity: { item: order } }) as const;
    const written = inEast.tables.orders.transact([put('002'), put('001')]);
    expect((await drive(world, written)).kind).toBe('done');
    const refused = inEast.tables.orders.transact([
      put('003'),
      { kind: 'patch', entityId: 'ada/009', changes: { count: 1 } },
    ]);
    expect(await drive(world, refused)).toMatchObject({ kind: 'refused', index: 1 });
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const { records } = await drive(world, inWest.tables.orders.list(100));
    expect(records.map(({ entityId }) => entityId)).toEqual(['ada/001', 'ada/002']);
  });

  test('joined by another sees what either has seen', async () => {
    const { world, east, west } = await setUp();
    const [ada, bob] = [east.session(), east.session()];
    await drive(world, ada.tables.orders.put('o-1', { item: 'pump' }));
    await drive(world, bob.tables.devices.put('d-1', { label: 'Pump 7' }));
    ada.join(bob.token());
    const inWest = west.session({ token: ada.token(), ...WAIT });
    expect(await drive(world, inWest.tables.devices.get('d-1'))).toBeDefined();
    expect(await drive(world, inWest.tables.orders.get('o-1'))).toBeDefined();
  });

  test('waits for nothing in the region where all of it was seen', async () => {
    const { world, east } = await setUp();
    const first = east.session();
    await drive(world, first.tables.orders.put('o-1', { item: 'pump' }));
    const again = east.session({ token: first.token(), waitMs: 0 });
    const begunMs = world.clock.nowMs();
    await drive(world, again.tables.orders.get('o-1'));
    await drive(world, again.tables.orders.get('o-2'));
    await drive(world, again.tables.orders.list(10));
    expect(world.clock.nowMs() - begunMs).toBeLessThan(50);
  });

  test('is told when the wait is over, for a row and for all', async () => {
    const world = createWorld();
    const east = regionOf(world, { region: 'east', peer: 'west' }).region;
    // Nobody receives there.
    const west = regionOf(world, { region: 'west', peer: 'east', replicate: false }).region;
    await drive(world, Promise.all([east.open(), west.open()]));
    const inEast = east.session();
    await drive(world, inEast.tables.orders.put('o-1', { item: 'pump' }));
    const inWest = west.session({ token: inEast.token(), waitMs: 500 });
    const late = { code: 'STATE_NOT_REACHED', retryAfterMs: 1_000 };
    const begunMs = world.clock.nowMs();
    await expect(drive(world, inWest.tables.orders.get('o-1'))).rejects.toMatchObject(late);
    await expect(drive(world, inWest.tables.orders.list(10))).rejects.toMatchObject(late);
    expect(world.clock.nowMs() - begunMs).toBe(1_000);
    expect(inWest.token()).toBe(inEast.token());
  });
});

describe('a session token', () => {
  const at = (timeMs: number, region = 'east', writer = region) =>
    encodeSeen({
      visits: new Map([[region, { timeMs, writers: new Set([writer]) }]]),
      rows: new Map(),
    });

  test('is the same for the same, and survives the way over another process', async () => {
    const { world, east } = await setUp();
    const session = east.session();
    await drive(world, session.tables.orders.put('o-1', { item: 'pump' }));
    const token = session.token();
    expect(east.session({ token }).token()).toBe(token);
    expect(token).toMatch(/^[\w-]+$/);
  });

  test('A14: of a region that is none, of a time to come, or none at all is refused at once', async () => {
    const { world, east } = await setUp();
    const nowMs = world.clock.nowMs();
    const forged = [
      [at(nowMs, 'mars'), /of a region mars, which is none of these/],
      [at(nowMs, 'west', 'mars'), /of a region mars, which is none of these/],
      [at(nowMs + 3_600_000, 'west'), /its time in west is yet to come/],
      ['', /none that a session gave/],
      ['%00', /none that a session gave/],
      ['x'.repeat(10_000), /none that a session gave/],
    ] as const;
    for (const [token, message] of forged) {
      const refusal = expect.objectContaining({
        code: 'SESSION_INVALID',
        message: expect.stringMatching(message),
      });
      expect(() => east.session({ token })).toThrow(refusal);
      expect(() => east.session().join(token)).toThrow(refusal);
    }
  });
});
