import { beforeEach, describe, expect, test } from 'vitest';
import { type AppError, TerminalError, TransientError } from '../errors.ts';
import { createSeededRandomness } from '../memory/seeded-randomness.ts';
import {
  createVirtualClock,
  driveVirtualTime,
  type VirtualClock,
} from '../memory/virtual-clock.ts';
import type { Archive } from '../ports/archive.ts';
import type { OutboundMessage } from '../ports/change-publisher.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { formatStamp, stampTimeMs } from '../time/stamp.ts';
import { unpackChangeSets } from '../wire/message-body.ts';
import { createPeerLink, type PeerLink } from './peer-link.ts';
import { createRelay, finishAtOnce } from './relay.ts';

const PEERS = ['west', 'north', 'south'];
const TOO_LARGE = new TerminalError('MESSAGE_TOO_LARGE', 'too large');
const DOWN = new TransientError('BUS_UNAVAILABLE', 'down');
const ROW_REFUSED = new TerminalError('TABLE_LIMIT_EXCEEDED', 'the row is refused');

/** The number is its time, and the only byte of its body. */
function entry(n: number, owed: readonly string[] = PEERS): OutboxEntry {
  const stamp = formatStamp({ timeMs: n, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  const encoded = Uint8Array.of(n);
  return { set, encoded, owed, committedAfterMs: n, parkedFor: undefined };
}

const numberOf = ({ set }: Pick<OutboxEntry, 'set'>): number => stampTimeMs(set.stamp);
const range = (count: number): readonly OutboxEntry[] =>
  Array.from({ length: count }, (_, n) => entry(n + 1));

let clock: VirtualClock;
/** In order: `archive 1 2`, `send west 1 2`, `remove Devices 1 2`, `park 1 for west`. */
let calls: string[];
/** What each peer's queue holds: for every message, what is in it. */
let queues: Map<string, number[][]>;
let messages: OutboundMessage[];
let failArchive: (numbers: readonly number[]) => Error | undefined;
let failSend: (peer: string, numbers: readonly number[]) => Error | undefined;
/** How long each peer takes to accept. */
let sendMs: Readonly<Record<string, number>>;

beforeEach(() => {
  clock = createVirtualClock(1_000_000);
  calls = [];
  messages = [];
  queues = new Map(PEERS.map((peer) => [peer, []]));
  failArchive = () => undefined;
  failSend = () => undefined;
  sendMs = {};
});

function createOutbox(entityKind: string): Outbox {
  return {
    entityKind,
    buckets: ['00'],
    scan: async () => ({ entries: [], unreadable: [], aside: [] }),
    remove: async (entries) =>
      void calls.push(`remove ${entityKind} ${entries.map(numberOf).join(' ')}`),
    park: async (one, owed) => void calls.push(`park ${numberOf(one)} for ${owed.join(' ')}`),
    settle: async () => 'gone',
  };
}

function setUp({ wireVersion = 9, peers = PEERS, kinds = ['Devices'] } = {}) {
  const archive: Archive = {
    async append(entries) {
      const numbers = entries.map(numberOf);
      const failure = failArchive(numbers);
      if (failure !== undefined) throw failure;
      calls.push(`archive ${numbers.join(' ')}`);
    },
    has: async () => false,
    read: () => (async function* () {})(),
  };
  const links = peers.map((peer) =>
    createPeerLink({
      clock,
      randomness: createSeededRandomness(1),
      wireVersion,
      publisher: {
        peer,
        close: async () => undefined,
        async publish(all) {
          const sets = all.map(({ body }) => unpackChangeSets(body).map(([n = 0]) => n));
          const failure = failSend(peer, sets.flat());
          await clock.sleep(sendMs[peer] ?? 0);
          if (failure !== undefined) throw failure;
          messages.push(...all);
          queues.get(peer)?.push(...sets);
          calls.push(`send ${peer} ${sets.flat().join(' ')}`);
        },
      },
    }),
  );
  const outboxes = new Map(kinds.map((kind) => [kind, createOutbox(kind)]));
  const relay = createRelay({ finish: finishAtOnce({ archive, outboxes }), links });
  const relayed = async (entries: readonly OutboxEntry[]) => {
    const { relayed: count, owed, stuck } = await driveVirtualTime(clock, relay.relay(entries));
    const codes = [...(stuck ?? new Map<OutboxEntry, AppError>())].map(
      ([one, error]) => [numberOf(one), error.code] as const,
    );
    return { relayed: count, owed: owed.map(numberOf), stuck: codes };
  };
  return { relay, relayed, links };
}

const sent = (peer: string): readonly number[] => (queues.get(peer) ?? []).flat();

describe('a relay', () => {
  test('archives first, sends to each peer what it is owed, then removes it', async () => {
    const { relayed, relay } = setUp();
    const entries = [entry(1, ['west']), entry(2), entry(3, ['north', 'west'])];
    expect(await relayed(entries)).toEqual({ relayed: 3, owed: [], stuck: [] });
    expect(calls[0]).toBe('archive 1 2 3');
    expect(calls.slice(1, -1).toSorted()).toEqual([
      'send north 2 3',
      'send south 2',
      'send west 1 2 3',
    ]);
    expect(calls.at(-1)).toBe('remove Devices 1 2 3');
    calls.length = 0;
    expect(await relayed([])).toMatchObject({ relayed: 0, owed: [] });
    expect(calls).toEqual([]);
    await relayed([entry(4, ['west'])]);
    expect(calls).toEqual(['archive 4', 'send west 4', 'remove Devices 4']);
    // The same in steps.
    expect(relay.peers).toEqual(PEERS);
    await relay.archive([entry(5), entry(6)]);
    expect(calls.at(-1)).toBe('archive 5 6');
  });

  test('removes of each kind its own, and names a kind that nobody has', async () => {
    const { relayed } = setUp({ kinds: ['Devices', 'Orders'] });
    const order = entry(2);
    const other = { ...order, set: { ...order.set, entityKind: 'Orders' } };
    await relayed([entry(1), other, entry(3)]);
    expect(calls.slice(-2)).toEqual(['remove Devices 1 3', 'remove Orders 2']);
    const { relayed: without } = setUp();
    await expect(without([other])).rejects.toThrow('no outbox for kind Orders');
  });

  test('parks what some peers have for those that have not, and leaves what none has', async () => {
    failSend = (peer, numbers) =>
      peer === 'south' || (peer === 'north' && numbers.includes(2)) ? DOWN : undefined;
    const { relayed, relay } = setUp();
    expect(await relayed([entry(1), entry(2), entry(3, ['south']), entry(4, ['west'])])).toEqual({
      relayed: 1,
      owed: [1, 2, 3],
      stuck: [],
    });
    expect(calls.filter((one) => !one.startsWith('send'))).toEqual([
      'archive 1 2 3 4',
      'remove Devices 4',
      'park 1 for north south',
      'park 2 for north south',
    ]);
    expect(PEERS.map((peer) => relay.isReachable(peer))).toEqual([true, false, false]);
    expect(relay.isReachable('nobody')).toBe(false);
    expect(await relay.send('nobody', [entry(1)])).toEqual(new Set());
  });

  test('passes on what a link fails with that no outage explains', async () => {
    const broken = new Error('a bug');
    failSend = (peer) => (peer === 'north' ? broken : undefined);
    await expect(setUp().relayed([entry(1)])).rejects.toBe(broken);
    expect(calls).toEqual(['archive 1', 'send west 1', 'send south 1']);
  });

  test('a region without peers archives and removes', async () => {
    const { relayed } = setUp({ peers: [] });
    expect(await relayed([entry(1, [])])).toEqual({ relayed: 1, owed: [], stuck: [] });
    expect(calls).toEqual(['archive 1', 'remove Devices 1']);
  });
});

describe('a message', () => {
  test('holds several sets where the peer reads packs, at most 100, and one where it does not', async () => {
    await setUp({ peers: ['west'] }).relayed(range(101).map((one) => ({ ...one, owed: ['west'] })));
    expect(queues.get('west')?.map((sets) => sets.length)).toEqual([100, 1]);
    expect(messages[1]?.messageId).toBe(`Devices/${entry(101).set.stamp}`);
    expect(messages[0]?.messageId).not.toContain('Devices/');
    queues.set('west', []);
    await setUp({ peers: ['west'], wireVersion: 1 }).relayed([entry(1), entry(2)]);
    expect(queues.get('west')).toEqual([[1], [2]]);
  });

  test('of other sets is another message, and carries the traces of all of its writes', async () => {
    const traced = (n: number, ...traces: (string | undefined)[]): OutboxEntry => {
      const one = entry(n, ['west']);
      const vector = new Map();
      const state = { fields: new Map(), alive: one.set.stamp, deleted: undefined, vector };
      const changes = traces.map((trace) => {
        const change = { entityId: 'a', operation: 'create', state } as const;
        return trace === undefined ? change : { ...change, trace };
      });
      return { ...one, set: { ...one.set, changes } };
    };
    const { relayed } = setUp({ peers: ['west'] });
    await relayed([traced(1, 'a', undefined), traced(2, 'b', 'c')]);
    await relayed([traced(1), traced(3)]);
    expect(messages.map(({ traces }) => traces)).toEqual([['a', 'b', 'c'], undefined]);
    expect(messages[1]).not.toHaveProperty('traces');
    expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(2);
  });

  test('that is refused for good holds up only what is in it, and is named', async () => {
    failSend = (_peer, numbers) => (numbers.includes(2) ? TOO_LARGE : undefined);
    const { relayed, relay } = setUp({ peers: ['west'] });
    const entries = [1, 2, 3].map((n) => entry(n, ['west']));
    expect(await relayed(entries)).toEqual({
      relayed: 2,
      owed: [2],
      stuck: [[2, 'MESSAGE_TOO_LARGE']],
    });
    expect(sent('west')).toEqual([1, 3]);
    // Who has the peers go at their own pace is told only what was accepted.
    const accepted = await driveVirtualTime(clock, relay.send('west', entries));
    expect([...accepted].map(numberOf)).toEqual([1, 3]);
  });
});

describe('an archive that refuses', () => {
  test('one entry of many has it found by halves: it alone is neither sent nor removed', async () => {
    failArchive = (numbers) => (numbers.includes(3) ? ROW_REFUSED : undefined);
    const { relayed } = setUp({ peers: ['west'] });
    const entries = range(5).map((one) => ({ ...one, owed: ['west'] }));
    expect(await relayed(entries)).toEqual({
      relayed: 4,
      owed: [3],
      stuck: [[3, 'TABLE_LIMIT_EXCEEDED']],
    });
    expect(calls).toEqual([
      'archive 1 2',
      'archive 4 5',
      'send west 1 2 4 5',
      'remove Devices 1 2 4 5',
    ]);
  });

  test.each([
    ['throttles', new TransientError('TABLE_THROTTLED', 'slow down'), 4],
    ['has a bug', new Error('a bug'), 4],
    ['is asked for one alone', ROW_REFUSED, 1],
  ])('all of them when it %s is not asked again', async (_, error, count) => {
    let asked = 0;
    failArchive = () => {
      asked += 1;
      return error;
    };
    await expect(setUp().relayed(range(count))).rejects.toBe(error);
    expect([asked, calls]).toEqual([1, []]);
  });

  test('each of a few is an outage, and each of many after ten that were asked for alone', async () => {
    for (const [count, aloneMax] of [
      [4, 4],
      [64, 10],
    ] as const) {
      let alone = 0;
      failArchive = (numbers) => {
        if (numbers.length === 1) alone += 1;
        return ROW_REFUSED;
      };
      await expect(setUp().relayed(range(count))).rejects.toBe(ROW_REFUSED);
      expect([alone, calls]).toEqual([aloneMax, []]);
    }
  });

  test('more than ten, after it took one, is asked for each: no outage', async () => {
    failArchive = (numbers) => (numbers.some((n) => n > 1) ? ROW_REFUSED : undefined);
    const outcome = await setUp({ peers: ['west'] }).relayed(
      range(14).map((one) => ({ ...one, owed: ['west'] })),
    );
    expect(outcome.relayed).toBe(1);
    expect(outcome.owed).toHaveLength(13);
  });
});

describe('a peer that hangs', () => {
  const isLate = (link: PeerLink | undefined) => link?.isOpen() === false;

  test('is not waited for, and what it accepts in the end is not sent to it again', async () => {
    sendMs = { west: 3_000 };
    const { relayed, links } = setUp();
    const entries = [entry(1), entry(2, ['west']), entry(3, ['north'])];
    expect(await relayed(entries)).toEqual({ relayed: 1, owed: [1, 2], stuck: [] });
    expect(clock.nowMs()).toBeLessThan(1_000_000 + 3_000);
    expect(isLate(links[0])).toBe(true);
    await clock.advance(3_000);
    expect(isLate(links[0])).toBe(false);
    expect(sent('west')).toEqual([1, 2]);
    const rest = [entry(1, ['west']), entry(2, ['west']), entry(4, ['west'])];
    sendMs = {};
    expect(await relayed(rest)).toEqual({ relayed: 3, owed: [], stuck: [] });
    expect(sent('west')).toEqual([1, 2, 4]);
    // It was told once: what is owed a second time is sent a second time.
    await relayed([entry(1, ['west'])]);
    expect(sent('west')).toEqual([1, 2, 4, 1]);
    expect(sent('north')).toEqual([1, 3]);
  });

  test('and fails in the end is sent all of it again', async () => {
    sendMs = { west: 3_000 };
    failSend = () => DOWN;
    const { relayed } = setUp({ peers: ['west'] });
    expect(await relayed([entry(1, ['west'])])).toMatchObject({ owed: [1] });
    await clock.advance(60_000);
    sendMs = {};
    failSend = () => undefined;
    expect(await relayed([entry(1, ['west'])])).toMatchObject({ relayed: 1 });
    expect(sent('west')).toEqual([1]);
  });

  test('is remembered for 10,000 entries: beyond it the oldest are sent once more', async () => {
    sendMs = { west: 3_000 };
    const { relayed } = setUp({ peers: ['west'] });
    const entries = Array.from({ length: 10_001 }, (_, n) => entry(n + 1, ['west']));
    await relayed(entries);
    await clock.advance(3_000);
    sendMs = {};
    const before = messages.length;
    await relayed(entries.slice(1));
    expect(messages).toHaveLength(before);
    await relayed(entries.slice(0, 1));
    expect(messages).toHaveLength(before + 1);
  });
});
