import { describe, expect, test } from 'vitest';
import { TerminalError, TransientError } from '../errors.ts';
import { createMemoryBus } from '../memory/memory-bus.ts';
import { createSeededRandomness } from '../memory/seeded-randomness.ts';
import { createVirtualClock, driveVirtualTime } from '../memory/virtual-clock.ts';
import type { ChangeReceiver } from '../ports/change-receiver.ts';
import type { FragmentKeeper } from '../ports/fragment-keeper.ts';
import { formatStamp } from '../time/stamp.ts';
import { encodeConflictMessages } from '../wire/encode-conflict.ts';
import { encodeWatermark } from '../wire/watermark.ts';
import type { Applier } from './apply-change-sets.ts';
import { createInbound } from './inbound.ts';
import type { ProbedSet } from './isolate-fault.ts';

const LOCK_MS = 30_000;
const NOT_ABORTED = new AbortController().signal;
const WATERMARK = encodeWatermark({ from: 'east', timeMs: 1 });

/** None of these tests sends any. */
const NO_FRAGMENTS: FragmentKeeper = {
  keep: () => Promise.reject(new Error('no fragment was sent')),
  drop: () => Promise.reject(new Error('no fragment was sent')),
};

interface RigExtras {
  readonly rounds?: { hurry(): void };
  readonly probe?: (set: ProbedSet) => Promise<void>;
}

function createRig(applier: Applier, extras: RigExtras = {}) {
  const clock = createVirtualClock(0);
  const bus = createMemoryBus({ clock, lockDurationMs: LOCK_MS, deliveryCountMax: 1 });
  const inner = bus.receiverFor('west');
  let failuresLeft = 0;
  const receiver: ChangeReceiver = {
    receive: (...args) => inner.receive(...args),
    renewLock: (message) => inner.renewLock(message),
    oldestMessage: () => inner.oldestMessage(),
    countDeadLetters: (countMax) => inner.countDeadLetters(countMax),
    close: () => inner.close(),
    async settle(message, settlement) {
      failuresLeft -= 1;
      if (failuresLeft >= 0) throw new TransientError('BUS_UNAVAILABLE', 'The link is gone.');
      return inner.settle(message, settlement);
    },
  };
  const inbound = createInbound({
    receiver,
    applier,
    fragments: NO_FRAGMENTS,
    clock,
    randomness: createSeededRandomness(1),
    lockRenewMs: LOCK_MS / 3,
    onWatermark: () => undefined,
    ...extras,
  });
  return {
    inbound,
    clock,
    drive: <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work),
    send: (body = WATERMARK) =>
      bus.publisherFor('west', 'west').publish([{ messageId: 'm', subject: 'watermark', body }]),
    left: async () => (await bus.viewerFor('west').peek('messages', 0n, 100)).length,
    dead: () => bus.deadLettersOf('west').length,
    failSettlements: (count: number) => {
      failuresLeft = count;
    },
  };
}

function conflictMessage(...numbers: readonly number[]): Uint8Array {
  const conflicts = numbers.map((n) => {
    const stampOf = (region: string) => formatStamp({ timeMs: n, counter: 0, region, writer: 'a' });
    const found = { entityKind: 'Devices', entityId: `id-${n}`, fields: [], life: undefined };
    return { ...found, stamps: [stampOf('east'), stampOf('west')] as const };
  });
  return encodeConflictMessages('east', conflicts)[0] ?? new Uint8Array();
}

const AT_ONCE: Applier = {
  async apply(_, onMerged) {
    onMerged?.();
    return new Map();
  },
  acceptConflicts: () => Promise.resolve(),
  judgeFragment: () => undefined,
  bucketOf: () => '00',
};

describe('what is received', () => {
  test('is settled again where the bus did not answer: the same delivery, not another', async () => {
    const rig = createRig(AT_ONCE);
    await rig.send();
    rig.failSettlements(3);
    expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(1);
    expect([await rig.left(), rig.dead()]).toEqual([0, 0]);
  });

  test('A11: is told of conflicts by many messages, and keeps them in one go', async () => {
    const kept: number[] = [];
    const rig = createRig({
      ...AT_ONCE,
      acceptConflicts: async (conflicts) => void kept.push(conflicts.length),
    });
    for (let n = 0; n < 5; n += 1) await rig.send(conflictMessage(n));
    expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(5);
    expect(kept).toEqual([5]);
    expect([await rig.left(), rig.dead()]).toEqual([0, 0]);
  });

  test('A4: is told of a conflict that can never be kept, and keeps those of the other messages', async () => {
    const kept = new Set<string>();
    const rig = createRig({
      ...AT_ONCE,
      async acceptConflicts(conflicts) {
        if (conflicts.some(({ entityId }) => entityId === 'id-2')) {
          throw new TerminalError('CHANGE_UNDECODABLE', 'This one never.');
        }
        for (const { entityId } of conflicts) kept.add(entityId);
      },
    });
    for (let n = 0; n < 5; n += 1) await rig.send(conflictMessage(n));
    await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED));
    expect([...kept].toSorted()).toEqual(['id-0', 'id-1', 'id-3', 'id-4']);
    expect([await rig.left(), rig.dead()]).toEqual([0, 1]);
  });

  test('A4: is told of many conflicts by one message, and keeps them from a store that fails now and then', async () => {
    const kept = new Set<string>();
    let calls = 0;
    const rig = createRig({
      ...AT_ONCE,
      async acceptConflicts(conflicts) {
        for (const { entityId } of conflicts) {
          calls += 1;
          if (calls % 7 === 0) throw new TransientError('TABLE_UNAVAILABLE', 'Not this time.');
          if (conflicts.length === 1) kept.add(entityId);
        }
      },
    });
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    await rig.send(conflictMessage(...numbers));
    await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED));
    expect(kept.size).toBe(numbers.length);
    expect([await rig.left(), rig.dead()]).toEqual([0, 0]);
  });

  test('A6: is a thousand messages of conflicts while the store is down: few of them are in memory at once', async () => {
    const tried = new Set<string>();
    let isDown = true;
    const rig = createRig(
      {
        ...AT_ONCE,
        async acceptConflicts(conflicts) {
          for (const { entityId } of conflicts) tried.add(entityId);
          if (isDown) throw new TransientError('TABLE_UNAVAILABLE', 'down');
        },
      },
      {
        // It works in rounds, so that a batch is received while another is in hand.
        rounds: { hurry: () => undefined },
        probe: async () => {
          if (isDown) throw new TransientError('TABLE_UNAVAILABLE', 'down');
        },
      },
    );
    const stampOf = (region: string) => formatStamp({ timeMs: 1, counter: 0, region, writer: 'a' });
    const stamps = [stampOf('east'), stampOf('west')] as const;
    const lost = (value: string) => ({
      stamp: stamps[0],
      value: { type: 'String', value } as const,
    });
    const field = { name: 'label', winner: lost(''), loser: lost('x'.repeat(140 * 1_024)) };
    for (let n = 0; n < 1_000; n += 1) {
      const found = { entityKind: 'Devices', entityId: `id-${n}`, stamps, life: undefined };
      await rig.send(encodeConflictMessages('east', [{ ...found, fields: [field] }])[0]);
    }
    const received = (async () => {
      for (let batch = 0; batch < 60; batch += 1) await rig.inbound.receiveOnce(NOT_ABORTED);
      await rig.inbound.drain();
    })();
    await rig.clock.advance(60_000);
    // A batch is received while less than 16 MiB are in hand, and stops at as much of its own.
    expect(tried.size).toBeGreaterThan(7);
    expect(tried.size * 140).toBeLessThanOrEqual(2 * 16 * 1_024);
    isDown = false;
    await rig.drive(received);
    expect([tried.size, await rig.left(), rig.dead()]).toEqual([1_000, 0, 0]);
  });

  test('A4: is told of conflicts of which some never can be kept: all others are, and the letter names these', async () => {
    const kept = new Set<string>();
    const probed = new Set<string>();
    const never = Array.from({ length: 20 }, (_, n) => `id-${n}`);
    const rig = createRig(
      {
        ...AT_ONCE,
        bucketOf: ({ entityId }) => `of ${entityId}`,
        async acceptConflicts(conflicts) {
          if (conflicts.some(({ entityId }) => never.includes(entityId)))
            throw new TransientError('TABLE_UNAVAILABLE', 'These never.');
          for (const { entityId } of conflicts) kept.add(entityId);
        },
      },
      { probe: async ({ bucket }) => void probed.add(bucket) },
    );
    await rig.send(conflictMessage(...Array.from({ length: 40 }, (_, n) => n)));
    await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED));
    expect(kept.size).toBe(20);
    expect(rig.dead()).toBe(1);
    // Where one that failed is to be kept, which is where a store may be to blame.
    expect([...probed].every((bucket) => never.includes(bucket.replace('of ', '')))).toBe(true);
  });

  test('A4: gives up what failed for the store by its own reason, once it has one', async () => {
    let tries = 0;
    const rig = createRig({
      ...AT_ONCE,
      async acceptConflicts() {
        tries += 1;
        if (tries === 1) throw new TransientError('TABLE_UNAVAILABLE', 'The store is down.');
        throw new TerminalError('ROW_MALFORMED', 'Nobody can read the row.');
      },
    });
    await rig.send(conflictMessage(0));
    await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED));
    for (let turn = 0; turn < 20 && rig.dead() === 0; turn += 1) {
      await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED));
    }
    expect([await rig.left(), rig.dead(), tries]).toEqual([0, 1, 2]);
  });

  test('is received on while an earlier batch waits, and its failure is told by a later turn', async () => {
    let fail: (error: Error) => void = () => undefined;
    const applier: Applier = {
      ...AT_ONCE,
      apply(_, onMerged) {
        onMerged?.();
        return new Promise((_resolve, reject) => {
          fail = reject;
        });
      },
    };
    const rig = createRig(applier, { rounds: { hurry: () => undefined } });
    await rig.send();
    expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(1);
    const failFirst = fail;
    await rig.send();
    expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(1);
    failFirst(new Error('no archive'));
    const later = rig.inbound.receiveOnce(NOT_ABORTED);
    await expect(rig.drive(later)).rejects.toThrow('no archive');
    // Both are locked still: neither was settled.
    expect(await rig.left()).toBe(2);
  });

  test('is held in bounded numbers: beyond them nothing is received until something is settled', async () => {
    const done: (() => void)[] = [];
    const applier: Applier = {
      ...AT_ONCE,
      apply(_, onMerged) {
        onMerged?.();
        return new Promise((resolve) => {
          done.push(() => resolve(new Map()));
        });
      },
    };
    const rig = createRig(applier, { rounds: { hurry: () => undefined } });
    // One fewer than a batch, so that the whole batches that follow do not come out even.
    for (let n = 0; n < 199; n += 1) await rig.send();
    expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(199);
    for (let n = 0; n < 2_300; n += 1) await rig.send();
    for (let turn = 1; turn < 10; turn += 1) {
      expect(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED))).toBe(200);
    }
    let isReceived = false;
    const next = rig.inbound.receiveOnce(NOT_ABORTED).then((count) => {
      isReceived = true;
      return count;
    });
    await rig.clock.advance(2_000);
    expect([isReceived, done.length]).toEqual([false, 10]);
    done[0]?.();
    expect(await rig.drive(next)).toBe(200);
  });

  test('is few messages at a time where they are large, and many again where they are small', async () => {
    const rig = createRig(AT_ONCE);
    const large = new Uint8Array(60 * 1_024);
    for (let n = 0; n < 300; n += 1) await rig.send(large);
    for (let n = 0; n < 400; n += 1) await rig.send();
    const counts: number[] = [];
    do counts.push(await rig.drive(rig.inbound.receiveOnce(NOT_ABORTED)));
    while (await rig.left());
    expect(counts.slice(0, 2)).toEqual([200, 68]);
    expect(counts.at(-2)).toBe(200);
  });
});
