import { decodeVector, formatStamp, vectorWith } from '@tandem/core';
import { sealCursor } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import {
  decodeSeen,
  encodeSeen,
  joinSeen,
  NOTHING_SEEN,
  rowKeyOf,
  withRow,
} from './consistency/seen.ts';
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

  /** Opens west, which hears nothing, with a token of what was seen in east. */
  const openBehind = async (world: ReturnType<typeof createWorld>) => {
    const west = regionOf(world, { region: 'west', peer: 'east', replicate: false }).region;
    await drive(world, west.open());
    const visits = new Map([['east', { timeMs: world.clock.nowMs(), writers: new Set(['east']) }]]);
    return { west, token: encodeSeen({ visits, rows: new Map() }) };
  };

  test('has a hundred places to wait for one caller, and two hundred for all', async () => {
    const world = createWorld();
    const { west, token } = await openBehind(world);
    const ask = (caller: string) =>
      west
        .session({ token, waitMs: 500, caller })
        .tables.orders.list(1)
        .catch((error: unknown) => error);
    const waiting = ['ada', 'bob', 'eve'].flatMap((caller) =>
      Array.from({ length: 101 }, () => ask(caller)),
    );
    const told = await drive(world, Promise.all(waiting));
    const codes = told.map((error) => (error as { code: string }).code);
    const full = (from: number) => codes.slice(from, from + 101);
    expect(full(0).filter((code) => code === 'OVERLOADED')).toHaveLength(1);
    expect(full(101).filter((code) => code === 'OVERLOADED')).toHaveLength(1);
    expect(new Set(full(202))).toEqual(new Set(['OVERLOADED']));
    // Each gave its place back.
    expect(await drive(world, ask('ada'))).toMatchObject({ code: 'STATE_NOT_REACHED' });
  });

  test('waits no longer once the region stops', async () => {
    const world = createWorld();
    const { west, token } = await openBehind(world);
    const begunMs = world.clock.nowMs();
    const { orders } = west.session({ token, waitMs: 60_000 }).tables;
    const reading = orders.list(1).catch((error: unknown) => error);
    await world.clock.advance(1_000);
    await drive(world, west.stop());
    expect(await reading).toMatchObject({ code: 'STATE_NOT_REACHED' });
    expect(world.clock.nowMs() - begunMs).toBeLessThan(2_000);
  });

  test('waits for what each writer had done until it was seen last, by what clocks may differ', async () => {
    const world = createWorld();
    const { west } = await openTwo(world);
    await world.clock.advance(5_000);
    const nowMs = world.clock.nowMs();
    const seenIn = (timeMs: number, writers: readonly string[], place = 'east') => {
      const visits = new Map([[place, { timeMs, writers: new Set(writers) }]]);
      return west.region.session({ token: encodeSeen({ visits, rows: new Map() }), ...WAIT });
    };
    const waited = async (session: ReturnType<typeof seenIn>) => {
      const begunMs = world.clock.nowMs();
      await drive(world, session.tables.orders.get('o-1'));
      return world.clock.nowMs() - begunMs;
    };
    // What was seen here, what this region wrote, and what is long here is waited for in none.
    expect(await waited(seenIn(nowMs + 1_000, ['east'], 'west'))).toBe(0);
    expect(await waited(seenIn(nowMs + 1_000, ['west']))).toBe(0);
    expect(await waited(seenIn(nowMs - 4_000, ['east']))).toBe(0);
    expect(await waited(seenIn(nowMs, ['east', 'west']))).toBeGreaterThan(0);
    expect(world.clock.nowMs()).toBeGreaterThan(nowMs);
  });

  test('refuses a version of a row that no region can have made, once that row is asked for', async () => {
    const { world, west } = await setUp();
    const timeMs = world.clock.nowMs() + 3_600_000;
    const version = vectorWith(
      new Map(),
      formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' }),
    );
    const here = { region: 'east', nowMs: world.clock.nowMs() };
    const row = { key: rowKeyOf('Orders', 'o-1'), version };
    const token = encodeSeen(withRow(NOTHING_SEEN, row, here));
    const session = west.session({ token, ...WAIT });
    await expect(drive(world, session.tables.orders.get('o-1'))).rejects.toMatchObject({
      code: 'SESSION_INVALID',
      message: expect.stringMatching(/cannot go on: its time in east/) as unknown,
    });
    expect(await drive(world, session.tables.orders.get('o-2'))).toBeUndefined();
  });

  test('has seen what refuses its write, and what it deletes', async () => {
    const { world, east } = await setUp();
    await drive(world, east.tables.orders.put('o-1', { item: 'pump' }));
    const empty = east.session().token();
    const refused = east.session();
    const put = refused.tables.orders.put('o-1', { item: 'valve' }, { kind: 'absent' });
    expect(await drive(world, put)).toMatchObject({ kind: 'condition-failed' });
    expect(refused.token()).not.toBe(empty);
    const missing = east.session();
    const patch = missing.tables.orders.patch('o-3', { count: 1 });
    expect(await drive(world, patch)).toMatchObject({ kind: 'not-found' });
    expect(missing.token()).toBe(empty);
    const deleting = east.session();
    await drive(world, deleting.tables.orders.remove('o-1'));
    expect(deleting.token()).not.toBe(empty);
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

  const VECTOR = '0199a1b2c3d4-0001-east-a';
  const ROW = `AAAAAAAAAAA:${VECTOR}`;
  const regions = (count: number) => Array.from({ length: count }, (_, n) => `r${n}`);

  test.each([
    ['no gap between visits and rows', 'east:1:east', /none that a session gave/],
    ['a region of no such name', 'East:1:east,,', /a visit cannot be read/],
    ['a writer of no such name', 'east:1:east:West,,', /a visit cannot be read/],
    ['no time', 'east,,', /a visit cannot be read/],
    ['a time of other signs', 'east:1_:east,,', /a visit cannot be read/],
    ['a time before a sign', 'east:-1:east,,', /a visit cannot be read/],
    ['a time that is too long', 'east:zzzzzzzzzzz:east,,', /a visit cannot be read/],
    ['34 writers', `east:1:${regions(34).join(':')},,`, /a visit cannot be read/],
    [
      '34 visits',
      `${regions(34)
        .map((one) => `${one}:1`)
        .join(',')},,${ROW}`,
      /it is too long/,
    ],
    ['a row without a version', 'east:1:east,,AAAAAAAAAAA', /a row cannot be read/],
    ['a row of a short name', `east:1:east,,AAAAAAAAAA:${VECTOR}`, /a row cannot be read/],
    ['a row of a long name', `east:1:east,,AAAAAAAAAAAA:${VECTOR}`, /a row cannot be read/],
    ['a row of other signs', `east:1:east,,AAAAAAAAAA=:${VECTOR}`, /a row cannot be read/],
    [
      'nine rows',
      `east:1:east,,${regions(9)
        .map((one) => `AAAAAAAAA${one}:${VECTOR}`)
        .join(',')}`,
      /it is too long/,
    ],
  ])('is refused that is sealed and has %s', (_, text, message) => {
    expect(() => decodeSeen(sealCursor(text, 's1'))).toThrow(
      expect.objectContaining({
        code: 'SESSION_INVALID',
        message: expect.stringMatching(message) as unknown,
      }),
    );
  });

  test('has room for 33 regions, 33 writers of each and 8 rows', () => {
    const places = regions(33).map((one) => `${one}:1`);
    const rows = regions(8).map((one) => `AAAAAAAAA${one}:${VECTOR}`);
    const sealed = sealCursor([...places, '', ...rows].join(','), 's1');
    expect(decodeSeen(sealed)).toMatchObject({ visits: { size: 33 }, rows: { size: 8 } });
    const writers = sealCursor(`east:1:${regions(33).join(':')},,${ROW}`, 's1');
    expect(decodeSeen(writers).visits.get('east')?.writers.size).toBe(33);
  });

  test('joined knows of a region the later time and the writers of both, and of a row both versions', () => {
    const version = (text: string) => decodeVector(text) ?? new Map();
    const here = { region: 'east', nowMs: 2_000 };
    const row = { key: 'AAAAAAAAAAA', version: version(VECTOR) };
    const one = withRow(NOTHING_SEEN, row, here);
    const west = '0199a1b2c3d5-0000-west-b';
    const other = withRow(NOTHING_SEEN, { ...row, version: version(west) }, { ...here, nowMs: 9 });
    for (const joined of [joinSeen(one, other), joinSeen(other, one)]) {
      expect(joined.visits).toEqual(
        new Map([['east', { timeMs: 2_000, writers: new Set(['east', 'west']) }]]),
      );
      expect(joined.rows).toEqual(new Map([['AAAAAAAAAAA', version(`${VECTOR}.${west}`)]]));
    }
    expect(joinSeen(NOTHING_SEEN, one)).toEqual(one);
    // A clock that was set back makes nothing seen earlier.
    expect(withRow(one, row, { ...here, nowMs: 1 }).visits.get('east')?.timeMs).toBe(2_000);
  });
});
