import { describe, expect, test } from 'vitest';
import { TerminalError, TransientError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import type { QueuedMessage, QueueLane, QueueViewer } from '../ports/queue-viewer.ts';
import type { EntityState } from '../state/entity-state.ts';
import {
  createMemoryRecoveryRegion,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import { encodeChangeSet } from '../wire/change-set-bytes.ts';
import { eachQueuePage } from './erase-entity.ts';
import { addVectors, listQueuedWrites } from './list-at-risk.ts';
import { type SurveyedPeer, surveyRisk } from './survey-risk.ts';

const KIND = 'Devices';
const PEERS = ['west', 'north'];

function at(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

function alive(timeMs: number, region = 'east'): EntityState {
  return stateWith({ label: [at(timeMs, region), 'x'] });
}

function setOf(stamp: Stamp, ...ids: readonly string[]): ChangeSet {
  const timeMs = parseInt(stamp.slice(0, 12), 16);
  const region = stamp.split('-')[2] ?? '';
  return {
    entityKind: KIND,
    bucket: MEMORY_BUCKET,
    stamp,
    changes: ids.map((entityId) => ({
      entityId,
      operation: 'patch',
      state: alive(timeMs, region),
    })),
  };
}

function entryOf(set: ChangeSet, more: Partial<OutboxEntry> = {}): OutboxEntry {
  const committedAfterMs = parseInt(set.stamp.slice(0, 12), 16) - 1;
  const common = { owed: PEERS, committedAfterMs, parkedFor: undefined };
  return { set, encoded: encodeChangeSet(set), ...common, ...more };
}

function outboxOf(entries: readonly OutboxEntry[], unreadable: readonly string[] = []): Outbox {
  return {
    ...createMemoryRecoveryRegion('east').outbox,
    scan: async ({ bucket, parkedFor }) => ({
      entries: entries.filter((one) => one.set.bucket === bucket && one.parkedFor === parkedFor),
      unreadable: parkedFor === undefined ? unreadable : [],
      aside: [],
    }),
  };
}

function messageOf(set: ChangeSet, sequenceNumber = 1n, subject = 'change-set'): QueuedMessage {
  const body = encodeChangeSet(set);
  const common = { messageId: 'm', enqueuedAtMs: 0, reason: undefined, description: undefined };
  return { ...common, sequenceNumber, subject, body };
}

function queueOf(lanes: Partial<Record<QueueLane, readonly QueuedMessage[]>>): QueueViewer {
  return {
    peek: async (lane, from, countMax) =>
      (lanes[lane] ?? []).filter((one) => one.sequenceNumber >= from).slice(0, countMax),
    settle: async () => new Set(),
    replace: async () => new Set<bigint>(),
    setAside: async () => new Set(),
    close: async () => undefined,
  };
}

interface Peer {
  readonly region?: MemoryRecoveryRegion;
  readonly messages?: readonly ChangeSet[];
  readonly letters?: readonly ChangeSet[];
  /** What fails, and how. */
  readonly fails?: { readonly what: 'tables' | 'rows' | 'queue'; readonly error: Error };
}

const DOWN = new TransientError('TABLE_UNAVAILABLE', 'It is down.');

function survey(
  entries: readonly OutboxEntry[],
  peers: Readonly<Record<string, Peer>>,
  more: { readonly buckets?: readonly string[]; readonly unreadable?: readonly string[] } = {},
) {
  return surveyRisk({
    region: 'east',
    outbox: outboxOf(entries, more.unreadable),
    buckets: more.buckets ?? [MEMORY_BUCKET],
    peers: Object.keys(peers),
    async openPeer(name): Promise<SurveyedPeer> {
      const {
        region = createMemoryRecoveryRegion(name),
        messages,
        letters,
        fails,
      } = peers[name] ?? {};
      if (fails?.what === 'tables') throw fails.error;
      const queue = queueOf({
        messages: (messages ?? []).map((set, n) => messageOf(set, BigInt(n + 1))),
        'dead-letters': (letters ?? []).map((set, n) => messageOf(set, BigInt(n + 1))),
      });
      return {
        replica: {
          bucketOf: () => MEMORY_BUCKET,
          read: async (...asked) => {
            if (fails?.what === 'rows') throw fails.error;
            return region.replica.read(...asked);
          },
        },
        withQueue: async (work) => {
          if (fails?.what === 'queue') throw fails.error;
          return work(queue);
        },
      };
    },
  });
}

function holding(
  name: string,
  ...states: readonly (readonly [string, EntityState])[]
): MemoryRecoveryRegion {
  const region = createMemoryRecoveryRegion(name);
  for (const [id, state] of states) region.put(id, state);
  return region;
}

describe('what is at risk with three regions', () => {
  test.each<
    [string, Readonly<Record<string, Peer>>, 'lost' | 'delayed' | 'none', Record<string, string>]
  >([
    ['no peer has it', { west: {}, north: {} }, 'lost', { west: 'nowhere', north: 'nowhere' }],
    [
      'one shows it',
      { west: { region: holding('west', ['a', alive(5)]) }, north: {} },
      'delayed',
      { west: 'applied', north: 'nowhere' },
    ],
    [
      'one shows a later one',
      { west: { region: holding('west', ['a', alive(6)]) }, north: {} },
      'delayed',
      { west: 'applied', north: 'nowhere' },
    ],
    [
      'one shows an earlier one',
      { west: { region: holding('west', ['a', alive(4)]) }, north: {} },
      'lost',
      { west: 'nowhere', north: 'nowhere' },
    ],
    [
      'all show it',
      {
        west: { region: holding('west', ['a', alive(5)]) },
        north: { region: holding('north', ['a', alive(5)]) },
      },
      'none',
      {},
    ],
    [
      'it waits for one',
      { west: {}, north: { messages: [setOf(at(5), 'a')] } },
      'delayed',
      { west: 'nowhere', north: 'queued' },
    ],
    [
      'a later one of it waits for one',
      { west: {}, north: { messages: [setOf(at(6), 'a')] } },
      'delayed',
      { west: 'nowhere', north: 'queued' },
    ],
    [
      'an earlier one waits',
      { west: {}, north: { messages: [setOf(at(4), 'a')] } },
      'lost',
      { west: 'nowhere', north: 'nowhere' },
    ],
    [
      'one could not apply it',
      { west: { letters: [setOf(at(5), 'a')] }, north: {} },
      'delayed',
      { west: 'dead-lettered', north: 'nowhere' },
    ],
    [
      'one is out of reach',
      { west: { fails: { what: 'tables', error: DOWN } }, north: {} },
      'lost',
      { west: 'not-known', north: 'nowhere' },
    ],
    [
      'the queue of one is out of reach',
      { west: { fails: { what: 'queue', error: DOWN } }, north: {} },
      'lost',
      { west: 'not-known', north: 'nowhere' },
    ],
    [
      'the queue of one is out of reach, which shows it',
      {
        west: { region: holding('west', ['a', alive(5)]), fails: { what: 'queue', error: DOWN } },
        north: {},
      },
      'delayed',
      { west: 'applied', north: 'nowhere' },
    ],
    [
      'the rows of one are out of reach',
      { west: { fails: { what: 'rows', error: DOWN } }, north: {} },
      'lost',
      { west: 'not-known', north: 'nowhere' },
    ],
    [
      'the rows of one are out of reach, for which it waits',
      { west: { messages: [setOf(at(5), 'a')], fails: { what: 'rows', error: DOWN } }, north: {} },
      'delayed',
      { west: 'queued', north: 'nowhere' },
    ],
  ])('where %s', async (_, peers, fate, places) => {
    const { writes } = await survey([entryOf(setOf(at(5), 'a'))], peers);
    const own = writes.filter((one) => one.stamp === at(5));
    const common = { entityKind: KIND, bucket: MEMORY_BUCKET, operation: 'patch', committedMs: 4 };
    expect(own).toMatchObject(fate === 'none' ? [] : [{ fate, places, ...common }]);
    expect(own).toHaveLength(fate === 'none' ? 0 : 1);
  });

  test('names the regions of which something could not be read', async () => {
    const entries = [entryOf(setOf(at(5), 'a'))];
    for (const what of ['tables', 'rows'] as const) {
      const { outOfReach } = await survey(entries, {
        west: {},
        north: { fails: { what, error: DOWN } },
      });
      expect(outOfReach).toEqual(['north']);
    }
    expect((await survey(entries, { west: {}, north: {} })).outOfReach).toEqual([]);
  });

  test('ends at what would take too much, rather than leave it out', async () => {
    const error = new TerminalError('RECOVERY_REFUSED', 'Too many requests.');
    for (const what of ['tables', 'rows', 'queue'] as const) {
      const asked = survey([entryOf(setOf(at(5), 'a'))], { west: { fails: { what, error } } });
      await expect(asked).rejects.toBe(error);
    }
  });

  test('holds half a million writes, each once however often it lies there, and no more', async () => {
    const ids = Array.from({ length: 100 }, (_, n) => `d${n}`);
    const entries = Array.from({ length: 5_000 }, (_, n) => entryOf(setOf(at(n + 1), ...ids)));
    // Nobody else there: nothing is at risk, but all of it is read.
    const most = [...entries, ...entries.slice(0, 9)];
    expect((await survey(most, {})).writes).toEqual([]);
    const more = survey([...most, entryOf(setOf(at(9_000), 'one more'))], {});
    await expect(more).rejects.toMatchObject({
      code: 'RECOVERY_REFUSED',
      message: expect.stringContaining('More than 500000 writes'),
    });
  });

  test('what waits in two queues is one write in two places, and what is owed is told once', async () => {
    const sent = setOf(at(3), 'sent');
    const owed = setOf(at(5), 'owed');
    const foreign = setOf(at(4, 'west'), 'foreign');
    const peers = { west: { messages: [sent, owed] }, north: { messages: [sent, foreign] } };
    const { writes } = await survey([entryOf(owed)], peers);
    expect(writes.map(({ entityId, fate, places }) => ({ entityId, fate, places }))).toEqual([
      { entityId: 'owed', fate: 'delayed', places: { west: 'queued', north: 'nowhere' } },
      { entityId: 'sent', fate: 'delayed', places: { west: 'queued', north: 'queued' } },
    ]);
  });

  test('counts an entry once that is parked for each of them, in the order of the stamps', async () => {
    const late = setOf(at(9), 'b');
    const set = setOf(at(5), 'a', 'c');
    const entries = [
      entryOf(late),
      ...PEERS.map((parkedFor) => entryOf(set, { parkedFor, owed: [parkedFor] })),
    ];
    const { writes } = await survey(entries, { west: {}, north: {} });
    expect(writes.map(({ entityId }) => entityId)).toEqual(['a', 'c', 'b']);
  });

  test('keeps to the buckets that it is told of, in queues too', async () => {
    const elsewhere = { ...setOf(at(6), 'b'), bucket: '01' };
    const peers = { west: { messages: [elsewhere, setOf(at(3), 'sent')] } };
    const { writes } = await survey([entryOf(setOf(at(5), 'a')), entryOf(elsewhere)], peers, {
      buckets: ['01'],
    });
    expect(writes.map(({ entityId }) => entityId)).toEqual(['b']);
  });

  test('names rows that nobody can read', async () => {
    expect((await survey([], { west: {} }, { unreadable: ['~o~torn'] })).unreadable).toEqual([
      '~o~torn',
    ]);
  });

  test('reads the rows of more entities than go into one request', async () => {
    const entries = Array.from({ length: 205 }, (_, n) => entryOf(setOf(at(n + 1), `d${n}`)));
    const region = holding(
      'west',
      ...Array.from({ length: 205 }, (_, n) => [`d${n}`, alive(n + 1)] as const),
    );
    const sizes: number[] = [];
    const { read } = region.replica;
    region.replica.read = async (bucket, ids) => {
      sizes.push(ids.length);
      return read(bucket, ids);
    };
    expect((await survey(entries, { west: { region } })).writes).toEqual([]);
    expect(sizes).toEqual([100, 100, 5]);
  });

  test('asks all peers at once', async () => {
    let asking = 0;
    let askingMax = 0;
    const openPeer = async (): Promise<never> => {
      asking += 1;
      askingMax = Math.max(askingMax, asking);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      asking -= 1;
      throw DOWN;
    };
    for (const entries of [[], [entryOf(setOf(at(5), 'a'))]]) {
      askingMax = 0;
      const buckets = [MEMORY_BUCKET];
      const outbox = outboxOf(entries);
      const found = await surveyRisk({ region: 'east', outbox, buckets, peers: PEERS, openPeer });
      expect({ askingMax, outOfReach: found.outOfReach }).toEqual({
        askingMax: 2,
        outOfReach: PEERS,
      });
    }
  });
});

describe('what waits in a queue', () => {
  test('is read to its end, page by page', async () => {
    const messages = Array.from({ length: 1_203 }, (_, n) =>
      messageOf(setOf(at(n + 1), 'a'), BigInt(n * 2)),
    );
    const sizes: number[] = [];
    for await (const page of eachQueuePage(queueOf({ messages }), 'messages'))
      sizes.push(page.length);
    expect(sizes).toEqual([500, 500, 203]);
    let pages = 0;
    for await (const page of eachQueuePage(queueOf({ messages }), 'dead-letters'))
      pages += page.length;
    expect(pages).toBe(0);
  });

  test('is of the region that wrote it, watermarks and what cannot be read left out', () => {
    const messages = [
      messageOf(setOf(at(1), 'a', 'b')),
      messageOf(setOf(at(2, 'west'), 'c')),
      messageOf(setOf(at(3), 'd'), 4n, 'watermark'),
      { ...messageOf(setOf(at(4), 'e')), body: new TextEncoder().encode('torn') },
    ];
    const found = listQueuedWrites('east', { peer: 'west', place: 'dead-lettered', messages });
    expect(found.map(({ entityId }) => entityId)).toEqual(['a', 'b']);
    expect(found[0]).toEqual({
      entityKind: KIND,
      bucket: MEMORY_BUCKET,
      entityId: 'a',
      stamp: at(1),
      operation: 'patch',
      committedMs: 1,
      fate: 'delayed',
      places: { west: 'dead-lettered' },
    });
  });

  test('adds up to what its changes contain', () => {
    const vectors = new Map([['a', new Map([['north', at(9, 'north')]])]]);
    addVectors(vectors, [
      messageOf(setOf(at(5), 'a')),
      messageOf(setOf(at(3), 'a', 'b')),
      messageOf(setOf(at(7), 'w'), 2n, 'watermark'),
    ]);
    expect(
      Object.fromEntries([...vectors].map(([id, vector]) => [id, Object.fromEntries(vector)])),
    ).toEqual({
      a: { north: at(9, 'north'), east: at(5) },
      b: { east: at(3) },
    });
  });
});
