import { describe, expect, test } from 'vitest';
import { type AppError, TerminalError, TransientError } from '../errors.ts';
import type { Conflict } from '../model/conflict.ts';
import type { Clock } from '../ports/clock.ts';
import type { Outbox, OutboxEntry, OutboxPage, OutboxScan } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import type { PeerLink } from './peer-link.ts';
import type { RelayReport } from './relay.ts';
import { sweep, tellConflicts } from './sweep.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const GRACE_MS = 2_000;
/** A row that fails for longer is named. */
const STUCK_MS = 60_000;
const REFUSED = new TerminalError('TABLE_LIMIT_EXCEEDED', 'the row is too large');

function entry(committedAfterMs: number, owed: readonly string[] = ['west']): OutboxEntry {
  const stamp = formatStamp({ timeMs: committedAfterMs, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(), owed, committedAfterMs, parkedFor: undefined };
}

const ago = (ms: number, owed?: readonly string[]): OutboxEntry => entry(NOW_MS - ms, owed);

interface World {
  /** Of the first bucket, page after page; what is parked for each peer by its name. */
  readonly pages?: readonly Partial<OutboxPage>[];
  readonly parked?: Readonly<Record<string, readonly Partial<OutboxPage>[]>>;
  readonly buckets?: readonly string[];
  /** How long each scan takes. */
  readonly scanMs?: number;
  readonly peers?: readonly string[];
  readonly isOpen?: (peer: string) => boolean;
  /** Nobody wants to be told of notices. */
  readonly isUntold?: boolean;
  readonly relay?: (due: readonly OutboxEntry[]) => RelayReport;
  readonly settle?: Outbox['settle'];
}

const allRelayed = (due: readonly OutboxEntry[]): RelayReport => ({
  relayed: due.length,
  owed: [],
});
const noneRelayed = (owed: readonly OutboxEntry[]): RelayReport => ({ relayed: 0, owed });

async function sweepOf(world: World) {
  const { pages = [], parked = {}, buckets = ['00'], scanMs = 0, relay = allRelayed } = world;
  const { peers = ['west'], isOpen = () => true } = world;
  let nowMs = NOW_MS;
  const swept: OutboxEntry[] = [];
  const scans: OutboxScan[] = [];
  const notices: string[] = [];
  const outbox: Outbox = {
    entityKind: 'Devices',
    buckets,
    scan: async (scan) => {
      scans.push(scan);
      nowMs += scanMs;
      const lane = scan.parkedFor === undefined ? pages : (parked[scan.parkedFor] ?? []);
      const at = Number(scan.continuation ?? 0);
      const isHere = scan.bucket === buckets[0];
      const page = { entries: [], unreadable: [], aside: [], ...(isHere ? lane[at] : {}) };
      return isHere && at + 1 < lane.length ? { ...page, continuation: String(at + 1) } : page;
    },
    remove: () => Promise.resolve(),
    park: () => Promise.resolve(),
    settle: world.settle ?? (() => Promise.reject(new Error('nothing is prepared'))),
  };
  const links = peers.map((peer) => ({ peer, isOpen: () => isOpen(peer) }) as unknown as PeerLink);
  const report = await sweep({
    outboxes: async () => [outbox],
    links,
    clock: { nowMs: () => nowMs } as Clock,
    graceMs: GRACE_MS,
    relay: {
      relay: async (due) => {
        swept.push(...due);
        return relay(due);
      },
    },
    ...(world.isUntold === true
      ? {}
      : { notices: { note: (...notice) => void notices.push(notice.join(' ')) } }),
  });
  return { report, swept, scans, notices };
}

describe('what a sweep relays', () => {
  const sweptOf = async (entries: readonly OutboxEntry[], scanMs = 0) =>
    (await sweepOf({ pages: [{ entries }], scanMs, peers: [] })).swept;

  test('is what its writer has had the time to relay itself', async () => {
    const [old, young] = [ago(GRACE_MS), ago(GRACE_MS - 1)];
    expect(await sweptOf([old, young])).toEqual([old]);
  });

  test('is not what was committed while the scan took its time', async () => {
    expect(await sweptOf([ago(-2 * GRACE_MS)], 3 * GRACE_MS)).toEqual([]);
  });

  test('I13: is also what a clock that ran far ahead has committed', async () => {
    const ahead = ago(-3_600_000);
    expect(await sweptOf([ahead, ago(-GRACE_MS)])).toEqual([ahead]);
    const [least] = [ago(-GRACE_MS - 1)];
    expect(await sweptOf([least])).toEqual([least]);
  });

  test('I20: of what is only prepared is what turns out to be committed', async () => {
    const prepared = (ageMs: number): OutboxEntry => ({ ...ago(ageMs), prepared: 'x' });
    const [young, done, undone, gone, unknown] = [14_999, 15_000, 15_001, 15_002, 80_000].map(
      prepared,
    ) as [OutboxEntry, OutboxEntry, OutboxEntry, OutboxEntry, OutboxEntry];
    const asked: OutboxEntry[] = [];
    const { report, swept, notices } = await sweepOf({
      pages: [{ entries: [unknown, gone, undone, done, young] }],
      async settle(entry) {
        asked.push(entry);
        if (entry === unknown) throw new TransientError('TABLE_UNAVAILABLE', 'down');
        return entry === done ? 'committed' : entry === undone ? 'undone' : 'gone';
      },
    });
    expect(asked).toEqual([unknown, gone, undone, done]);
    expect(swept).toEqual([{ ...done, prepared: undefined }]);
    // What nobody knows of yet is owed.
    expect(report.watermarks.get('west')).toBe(unknown.committedAfterMs);
    expect(report.failure?.code).toBe('TABLE_UNAVAILABLE');
    expect(notices.join()).toContain('outbox-row-stuck');
  });

  test('I11: waits for a damaged row that would tell of one, is named, and holds up nobody', async () => {
    const damaged = new TerminalError('ROW_MALFORMED', 'the row that tells is damaged');
    const settle = () => Promise.reject(damaged);
    const [fresh, old] = [STUCK_MS - 1, STUCK_MS + 1].map(
      (ageMs): OutboxEntry => ({ ...ago(ageMs), prepared: 'x' }),
    ) as [OutboxEntry, OutboxEntry];
    const early = await sweepOf({ pages: [{ entries: [fresh] }], settle });
    expect(early.report.sound.get('west')).toBe(fresh.committedAfterMs);
    expect(early.notices).toEqual([]);
    const { report, swept, notices } = await sweepOf({
      pages: [{ entries: [old, ago(5_000)] }],
      settle,
    });
    expect(swept).toEqual([ago(5_000)]);
    expect(report.failure).toBeUndefined();
    expect(report.watermarks.get('west')).toBe(old.committedAfterMs);
    expect(report.sound.get('west')).toBe(NOW_MS);
    expect(notices).toEqual([`outbox-row-stuck Devices/00/${old.set.stamp} ROW_MALFORMED`]);
  });

  test('I11: holds back the watermark for what is prepared, however young', async () => {
    const young: OutboxEntry = { ...ago(1), prepared: 'x' };
    const { report } = await sweepOf({ pages: [{ entries: [young] }] });
    expect(report.watermarks.get('west')).toBe(young.committedAfterMs);
  });

  test('is in every page of every bucket, and what is parked for each of several peers', async () => {
    const pages = [1, 2, 3].map((n) => ({ entries: [ago(n * 10_000, ['west', 'north'])] }));
    const parked = {
      west: [{ entries: [ago(5_000, ['west'])] }, { entries: [ago(6_000, ['west'])] }],
      north: [{ entries: [ago(7_000, ['north'])] }],
    };
    const world = { pages, parked, buckets: ['00', '01'] };
    const { report, swept, scans } = await sweepOf({ ...world, peers: ['west', 'north'] });
    expect([report.relayed, swept.length]).toEqual([6, 6]);
    const lanes = scans.map(({ bucket, parkedFor = '-', continuation = '-', limit }) =>
      [bucket, parkedFor, continuation, limit].join(' '),
    );
    expect(lanes.toSorted()).toEqual([
      '00 - - 100',
      '00 - 1 100',
      '00 - 2 100',
      '00 north - 100',
      '00 west - 100',
      '00 west 1 100',
      '01 - - 100',
      '01 north - 100',
      '01 west - 100',
    ]);
    // Nothing is ever parked for the only peer.
    expect((await sweepOf({ ...world, peers: ['west'] })).scans).toHaveLength(4);
  });

  test('ends after 20 pages, and no watermark claims what was not read', async () => {
    const pages = Array.from({ length: 21 }, () => ({ entries: [ago(10_000)] }));
    const { report, scans } = await sweepOf({ pages });
    expect([scans.length, report.relayed]).toEqual([20, 20]);
    expect([...report.watermarks, ...report.sound]).toEqual([]);
    const { report: whole } = await sweepOf({ pages: pages.slice(1) });
    expect([...whole.watermarks]).toEqual([['west', NOW_MS]]);
  });

  test('is what is parked for a peer although another was not read to its end', async () => {
    const west = Array.from({ length: 21 }, () => ({ entries: [ago(9_000, ['west'])] }));
    const { report } = await sweepOf({ parked: { west }, peers: ['west', 'north'] });
    expect([...report.watermarks.keys()]).toEqual(['north']);
  });
});

describe('while a peer is down a sweep', () => {
  const pages = [{ entries: [] }, { entries: [ago(9_000)] }, { entries: [ago(8_000)] }];

  test('reads its oldest row, and goes on where another peer is up', async () => {
    const down = await sweepOf({ pages, isOpen: () => false, relay: noneRelayed });
    expect(down.scans.map(({ limit, continuation }) => [limit, continuation])).toEqual([
      [1, undefined],
      [1, '1'],
    ]);
    expect([...down.report.watermarks]).toEqual([]);
    const world = { pages, peers: ['west', 'north'], relay: noneRelayed };
    const half = await sweepOf({ ...world, isOpen: (peer) => peer === 'north' });
    const limitsOf = (parkedFor: string | undefined) =>
      half.scans.filter((scan) => scan.parkedFor === parkedFor).map(({ limit }) => limit);
    expect([limitsOf(undefined), limitsOf('west'), limitsOf('north')]).toEqual([
      [100, 100, 100],
      [1],
      [100],
    ]);
  });

  test('vouches for an outbox whose only page it has read', async () => {
    const { report } = await sweepOf({
      pages: [{ entries: [ago(9_000)] }],
      isOpen: () => false,
      relay: noneRelayed,
    });
    expect([...report.watermarks]).toEqual([['west', NOW_MS - 9_000]]);
  });

  test('of a region without peers reads all of it', async () => {
    const { scans } = await sweepOf({ pages, peers: [] });
    expect(scans.map(({ limit }) => limit)).toEqual([100, 100, 100]);
  });
});

describe('the watermark of a sweep', () => {
  test('I11: is for each peer the time of the oldest that it is owed, young ones too', async () => {
    const old = [ago(9_000, ['west']), ago(30_000, ['west', 'north'])];
    const young = [ago(1_000, ['west', 'south']), ago(500, ['south'])];
    const { report } = await sweepOf({
      pages: [{ entries: [...old, ...young] }],
      peers: ['west', 'north', 'south', 'other'],
      relay: (owed) => ({ relayed: 0, owed }),
    });
    const times = { west: NOW_MS - 30_000, north: NOW_MS - 30_000, south: NOW_MS - 1_000 };
    expect(Object.fromEntries(report.watermarks)).toEqual({ ...times, other: NOW_MS });
    expect(report.sound).toEqual(report.watermarks);
    expect(report.relayed).toBe(0);
  });

  test('I11: claims nothing while a peer is owed what a clock that ran far ahead has committed', async () => {
    const ahead = ago(-3_600_000);
    const owing = {
      pages: [{ entries: [ahead, ago(9_000, ['north'])] }],
      peers: ['west', 'north'],
    };
    const { report } = await sweepOf({ ...owing, relay: noneRelayed });
    expect([...report.watermarks]).toEqual([
      ['west', 0],
      ['north', NOW_MS - 9_000],
    ]);
    expect(report.sound).toEqual(report.watermarks);
    const stuck = new Map<OutboxEntry, AppError>([[ahead, REFUSED]]);
    const refused = await sweepOf({ ...owing, relay: (owed) => ({ relayed: 0, owed, stuck }) });
    expect(refused.report.watermarks.get('west')).toBe(0);
    expect(refused.report.sound.get('west')).toBe(NOW_MS);
    const within = { pages: [{ entries: [ago(-GRACE_MS)] }] };
    expect([...(await sweepOf(within)).report.watermarks]).toEqual([['west', NOW_MS]]);
  });

  test('is the time before the scan, however long that takes', async () => {
    expect([...(await sweepOf({ scanMs: 5_000 })).report.watermarks]).toEqual([['west', NOW_MS]]);
  });

  test('I11: claims nothing while a row is damaged or set aside, and the sound one goes on', async () => {
    for (const [page, notice] of [
      [{ unreadable: ['k'] }, 'outbox-row-damaged Devices/00/k it cannot be read'],
      [{ aside: ['!k'] }, 'outbox-row-aside Devices/00/!k it was set aside, and is still owed'],
    ] as const) {
      const peers = ['west', 'north'];
      const plain = await sweepOf({ pages: [page], peers });
      expect([...plain.report.watermarks]).toEqual([]);
      expect([...plain.report.sound.keys()]).toEqual(peers);
      expect(plain.notices).toEqual([notice]);
      const parked = await sweepOf({ parked: { west: [page] }, peers });
      expect([...parked.report.watermarks.keys()]).toEqual(['north']);
    }
    const pages = [{ unreadable: ['k'], aside: ['!k'] }];
    const both = await sweepOf({ pages });
    expect([both.report.watermarks.size, both.notices.length]).toEqual([0, 2]);
    expect((await sweepOf({ pages, isUntold: true })).report).toEqual(both.report);
  });

  test('I15: waits for what is stuck, the sound one does not, and what is long stuck is named', async () => {
    const [long, short, behind] = [ago(STUCK_MS + 1), ago(STUCK_MS), ago(3_000)];
    const stuck = new Map<OutboxEntry, AppError>([
      [long, REFUSED],
      [short, REFUSED],
    ]);
    const world = {
      pages: [{ entries: [long, behind] }],
      relay: () => ({ relayed: 0, owed: [long, behind], stuck }),
    };
    const { report, notices } = await sweepOf(world);
    expect((await sweepOf({ ...world, isUntold: true })).report).toEqual(report);
    expect([...report.watermarks]).toEqual([['west', NOW_MS - STUCK_MS - 1]]);
    expect([...report.sound]).toEqual([['west', NOW_MS - 3_000]]);
    expect(notices).toEqual([`outbox-row-stuck Devices/00/${long.set.stamp} ${REFUSED.code}`]);
    const young = await sweepOf({
      pages: [{ entries: [short] }],
      relay: () => ({ relayed: 0, owed: [short], stuck }),
    });
    expect([...young.report.sound]).toEqual([['west', NOW_MS - STUCK_MS]]);
    expect(young.notices).toEqual([]);
    const ahead = ago(-STUCK_MS - 1);
    const wrong = await sweepOf({
      pages: [{ entries: [ahead] }],
      relay: () => ({ relayed: 0, owed: [ahead], stuck: new Map([[ahead, REFUSED]]) }),
    });
    expect(wrong.notices).toHaveLength(1);
  });
});

describe('a sweep whose relay fails', () => {
  const down = new TransientError('TABLE_UNAVAILABLE', 'down');

  test('says so, goes on with the next page, and vouches for nothing that is due', async () => {
    const later = new TransientError('TABLE_THROTTLED', 'slow down');
    const pages = [{ entries: [ago(STUCK_MS)] }, { entries: [ago(STUCK_MS + 1)] }];
    const relayFailing = (failures: readonly Error[]) => {
      const left = [...failures];
      return (): RelayReport => {
        throw left.shift()!;
      };
    };
    const relay = relayFailing([down, later]);
    const { report, swept, notices } = await sweepOf({ pages, relay });
    const untold = { pages, relay: relayFailing([down, later]), isUntold: true };
    expect((await sweepOf(untold)).report).toEqual(report);
    expect(report.failure).toBe(down);
    expect(swept).toHaveLength(2);
    expect([...report.watermarks]).toEqual([['west', NOW_MS - STUCK_MS - 1]]);
    expect(notices).toEqual([
      `outbox-row-stuck Devices/00/${ago(STUCK_MS + 1).set.stamp} TABLE_THROTTLED`,
    ]);
    expect(report.relayed).toBe(0);
  });

  test('by a bug passes it on', async () => {
    const bug = new Error('a bug');
    const broken = sweepOf({
      pages: [{ entries: [ago(9_000)] }],
      relay: () => {
        throw bug;
      },
    });
    await expect(broken).rejects.toBe(bug);
  });
});

describe('I18: a peer is told of conflicts', () => {
  const conflict: Conflict = {
    entityKind: 'Devices',
    entityId: 'a',
    stamps: [ago(2).set.stamp, ago(1).set.stamp],
    fields: [],
    life: undefined,
  };
  const told = { conflict, key: 'a' };
  /** Pages are named by their places; a journal passes over what names no recorded conflict. */
  const tell = async (
    pages: readonly (readonly (typeof told)[])[],
    outcomes: Awaited<ReturnType<PeerLink['publish']>>[],
  ) => {
    const keys: string[] = [];
    const conflicts = {
      untold: async (_: string, { continuation = '0' }: { readonly continuation?: string }) => {
        const next = Number(continuation) + 1;
        const more = next < pages.length ? { continuation: String(next) } : {};
        return { conflicts: pages[next - 1] ?? [], ...more };
      },
      told: async (_: string, some: readonly (typeof told)[]) =>
        void keys.push(...some.map(({ key }) => key)),
    };
    const link: PeerLink = {
      peer: 'west',
      readsPacks: true,
      isOpen: () => true,
      isReachable: () => true,
      publish: async () => outcomes.shift() ?? 'accepted',
      briefly: (work) => work,
    };
    const clock = { nowMs: () => NOW_MS } as Clock;
    const count = await tellConflicts({ region: 'east', conflicts, links: [link], clock });
    return { count, keys };
  };

  test('behind others that nobody can tell of yet', async () => {
    expect(await tell([[], [], [told], [told]], [])).toEqual({ count: 2, keys: ['a', 'a'] });
  });

  test('until its queue does not take them', async () => {
    expect(await tell([[told], [told]], ['accepted', 'peer-down'])).toEqual({
      count: 1,
      keys: ['a'],
    });
  });

  test('as many as a pass takes', async () => {
    const pages = Array.from({ length: 30 }, () => [told]);
    expect((await tell(pages, [])).count).toBe(20);
  });
});
