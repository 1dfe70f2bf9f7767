import { describe, expect, test } from 'vitest';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import { readOutboxDepth } from './read-region-status.ts';

const PEERS = ['north', 'west'];
const NOW_MS = Date.UTC(2026, 0, 1);

function entry(timeMs: number, owed: readonly string[], parkedFor?: string): OutboxEntry {
  const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });
  const change = {
    entityId: 'a',
    operation: 'replace',
    state: { fields: new Map(), alive: stamp, deleted: undefined, vector: new Map() },
  } as const;
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [change] };
  return { set, encoded: new Uint8Array(), owed, committedAfterMs: timeMs, parkedFor };
}

function outboxOf(entries: readonly OutboxEntry[], unreadable: readonly string[] = []): Outbox {
  return {
    entityKind: 'Devices',
    buckets: ['00'],
    scan: async ({ parkedFor }) => ({
      entries: entries.filter((one) => one.parkedFor === parkedFor),
      unreadable: parkedFor === undefined ? unreadable : [],
      aside: [],
    }),
    remove: () => Promise.resolve(),
    park: () => Promise.resolve(),
    settle: () => Promise.resolve('gone'),
  };
}

describe('what an outbox holds', () => {
  test('is owed to all when it is parked for every one of them', async () => {
    const parked = PEERS.map((peer) => entry(NOW_MS, [peer], peer));
    const depth = await readOutboxDepth([outboxOf(parked)], PEERS, {
      nowMs: NOW_MS,
      driftMsMax: 60_000,
    });
    expect(depth.owedToAll).toBe(1);
    expect(depth.byPeer.get('west')).toEqual({ changes: 1, oldestMs: NOW_MS, undated: 0 });
  });

  test('is owed to one when the others have accepted it', async () => {
    const entries = [entry(NOW_MS, ['west'], 'west'), entry(NOW_MS + 1, ['north'])];
    const depth = await readOutboxDepth([outboxOf(entries)], PEERS, {
      nowMs: NOW_MS,
      driftMsMax: 60_000,
    });
    expect(depth).toMatchObject({ owedToAll: 0, isComplete: true });
    expect([...depth.byPeer.values()].map(({ changes }) => changes)).toEqual([1, 1]);
  });

  test('is counted once when it is parked while it is counted', async () => {
    const entries = [entry(NOW_MS, PEERS), entry(NOW_MS, ['west'], 'west')];
    const depth = await readOutboxDepth([outboxOf(entries)], PEERS, {
      nowMs: NOW_MS,
      driftMsMax: 60_000,
    });
    expect(depth.owedToAll).toBe(1);
    expect(depth.byPeer.get('west')?.changes).toBe(1);
  });

  test.each([
    ['lacks its time', 0],
    ['is of a clock a year ahead', NOW_MS + 365 * 86_400_000],
  ])('A7: is undated where it %s', async (_, timeMs) => {
    const stamped = { ...entry(NOW_MS, PEERS), committedAfterMs: timeMs };
    const depth = await readOutboxDepth([outboxOf([stamped])], PEERS, {
      nowMs: NOW_MS,
      driftMsMax: 60_000,
    });
    expect(depth.byPeer.get('west')).toEqual({ changes: 1, oldestMs: undefined, undated: 1 });
  });

  test('A7: is owed to all when it cannot be read', async () => {
    const depth = await readOutboxDepth([outboxOf([], ['~o~x'])], PEERS, {
      nowMs: NOW_MS,
      driftMsMax: 60_000,
    });
    expect(depth.owedToAll).toBe(1);
    // Nobody can say since when: an age in its place would be that of the epoch.
    expect(depth.byPeer.get('north')).toEqual({ changes: 1, oldestMs: undefined, undated: 1 });
  });
});
