import { describe, expect, it } from 'vitest';
import {
  applicationPropertiesOf,
  bodyOf,
  createReceiver,
  incoming,
  openTestQueue,
  receive,
} from '../testing/queue-harness.ts';

const LOCK_MS = 60_000;

describe('sending and receiving', () => {
  it('numbers messages from 1 in the order in which they were sent', async () => {
    const { main } = await openTestQueue();
    const outcomes = await Promise.all([
      main.send([incoming('a'), incoming('b')]),
      main.send([incoming('c')]),
    ]);
    expect(outcomes).toEqual([
      { kind: 'accepted', sequenceNumbers: [1, 2] },
      { kind: 'accepted', sequenceNumbers: [3] },
    ]);
    const locks = await receive(main, 10);
    expect(locks.map((lock) => bodyOf(lock.message))).toEqual(['a', 'b', 'c']);
  });

  it('delivers each message to one receiver, in turns, as far as the credit goes', async () => {
    const { main } = await openTestQueue();
    const receivers = [createReceiver(), createReceiver()];
    for (const receiver of receivers) {
      receiver.credit = 2;
      main.attach(receiver);
    }
    await main.send([1, 2, 3, 4, 5].map((body) => incoming(body)));
    expect(receivers.map((receiver) => receiver.locks.length)).toEqual([2, 2]);
    const numbers = receivers.flatMap((r) => r.locks.map((l) => l.message.sequenceNumber));
    expect(numbers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  });

  it('tells a receiver with credit left that nothing is left to deliver', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a')]);
    const receiver = createReceiver();
    receiver.credit = 5;
    main.attach(receiver).pull();
    expect(receiver.locks).toHaveLength(1);
    expect(receiver.exhaustedCount).toBe(1);
  });

  it('removes a message before it hands it to a receive-and-delete receiver', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a')]);
    const receiver = createReceiver('receive-and-delete');
    receiver.credit = 1;
    main.attach(receiver).pull();
    expect(receiver.removed).toHaveLength(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(receiver.removed.map(bodyOf)).toEqual(['a']);
    expect(main.counters()).toMatchObject({ active: 0, sizeBytes: 0 });
  });

  it('delivers a backlog that is larger than what it holds in memory, each message once', async () => {
    const { main } = await openTestQueue();
    for (let sent = 0; sent < 5_000; sent += 100) {
      await main.send(Array.from({ length: 100 }, (_, index) => incoming(sent + index)));
    }
    const receiver = createReceiver();
    receiver.credit = 5_000;
    main.attach(receiver).pull();
    await expect.poll(() => receiver.locks.length).toBe(5_000);
    expect(receiver.locks.map((lock) => bodyOf(lock.message))).toEqual(
      Array.from({ length: 5_000 }, (_, index) => index),
    );
  });

  it('refuses sends when the queue has reached its size', async () => {
    const { main } = await openTestQueue({ maxSizeMegabytes: 1 });
    await main.send([incoming(Buffer.alloc(1024 * 1024))]);
    expect(await main.send([incoming('x')])).toMatchObject({ kind: 'quota-exceeded' });
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'complete' });
    expect(await main.send([incoming('x')])).toMatchObject({ kind: 'accepted' });
  });

  it('takes no dead letter back when it has reached its size, and then as many as before', async () => {
    const { main } = await openTestQueue({ maxSizeMegabytes: 1 });
    await main.send([incoming('a')]);
    const [dead] = await receive(main, 1);
    const cause = { kind: 'dead-letter', reason: undefined, description: undefined } as const;
    await main.settle(dead!.token, cause);
    await main.send([incoming(Buffer.alloc(1024 * 1024))]);
    expect(await main.resubmitDeadLetters(10)).toMatchObject({ kind: 'quota-exceeded' });
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'complete' });
    expect(await main.resubmitDeadLetters(10)).toEqual({ kind: 'resubmitted', count: 1 });
  });

  it('delivers nothing while it is paused', async () => {
    const { main } = await openTestQueue();
    const receiver = createReceiver();
    receiver.credit = 1;
    main.attach(receiver);
    main.setPaused(true);
    await main.send([incoming('a')]);
    expect(receiver.locks).toHaveLength(0);
    main.setPaused(false);
    expect(receiver.locks).toHaveLength(1);
  });
});

describe('locks', () => {
  it('offers a message again with a higher delivery count when its lock expires', async () => {
    const { main, clock } = await openTestQueue({ lockDurationMs: LOCK_MS });
    await main.send([incoming('a')]);
    const [first] = await receive(main, 1);
    expect(first).toMatchObject({ expiresAtMs: clock.nowMs() + LOCK_MS });
    await clock.advance(LOCK_MS - 1);
    expect(await receive(main, 1)).toHaveLength(0);
    await clock.advance(1);
    const [second] = await receive(main, 1);
    expect(second?.message).toMatchObject({ sequenceNumber: 1, deliveryCount: 1 });
    expect(await main.settle(first!.token, { kind: 'complete' })).toBe('lock-lost');
    expect(await main.settle(second!.token, { kind: 'complete' })).toBe('settled');
  });

  it('keeps a renewed lock for its whole duration from then on', async () => {
    const { main, clock } = await openTestQueue({ lockDurationMs: LOCK_MS });
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    await clock.advance(LOCK_MS - 1);
    expect(main.renewLock(lock!.token)).toBe(clock.nowMs() + LOCK_MS);
    await clock.advance(LOCK_MS - 1);
    expect(await receive(main, 1)).toHaveLength(0);
    await clock.advance(1);
    expect(main.renewLock(lock!.token)).toBeUndefined();
    expect(await receive(main, 1)).toHaveLength(1);
  });

  it('expire each in its own time when the lock duration is changed', async () => {
    const { main, clock } = await openTestQueue({ lockDurationMs: LOCK_MS });
    await main.send([incoming('a'), incoming('b')]);
    await receive(main, 1);
    main.setProperties({ ...main.properties(), lockDurationMs: 1_000 });
    await receive(main, 1);
    await clock.advance(1_000);
    expect((await receive(main, 2)).map((l) => bodyOf(l.message))).toEqual(['b']);
  });

  it('settles a message once', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    const both = [
      main.settle(lock!.token, { kind: 'complete' }),
      main.settle(lock!.token, { kind: 'complete' }),
    ];
    expect(await Promise.all(both)).toEqual(['settled', 'lock-lost']);
  });

  it('offers an abandoned message before later ones, with its changed properties', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a'), incoming('b')]);
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'abandon', properties: { tried: 'east' } });
    const [again, next] = await receive(main, 2);
    expect(again?.message).toMatchObject({ sequenceNumber: 1, deliveryCount: 1 });
    expect(applicationPropertiesOf(again!.message)).toEqual({ tried: 'east' });
    expect(next?.message).toMatchObject({ sequenceNumber: 2, deliveryCount: 0 });
  });
});

describe('dead letters', () => {
  it('moves a message there with reason, description and properties', async () => {
    const { main, deadLetters } = await openTestQueue();
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, {
      kind: 'dead-letter',
      reason: 'Poison',
      description: 'cannot be read',
      properties: { ids: '7' },
    });
    const [dead] = await receive(deadLetters, 1);
    expect(applicationPropertiesOf(dead!.message)).toEqual({
      ids: '7',
      DeadLetterReason: 'Poison',
      DeadLetterErrorDescription: 'cannot be read',
    });
    expect(dead?.message).toMatchObject({ enqueuedSequenceNumber: 1 });
    expect(main.counters()).toMatchObject({ active: 0, sizeBytes: 0 });
    expect(deadLetters.counters()).toMatchObject({ active: 1 });
  });

  it('moves a message there that was delivered too often, whether abandoned or expired', async () => {
    const { main, deadLetters, clock } = await openTestQueue({ maxDeliveryCount: 2 });
    await main.send([incoming('a')]);
    const [first] = await receive(main, 1);
    await main.settle(first!.token, { kind: 'abandon' });
    await receive(main, 1);
    await clock.advance(LOCK_MS);
    expect(await receive(main, 1)).toHaveLength(0);
    const [dead] = await deadLetters.peek({ fromSequenceNumber: 1, messagesMax: 10 });
    expect(dead?.deliveryCount).toBe(2);
    expect(applicationPropertiesOf(dead!)).toMatchObject({
      DeadLetterReason: 'MaxDeliveryCountExceeded',
    });
  });

  it('are not dead-lettered again, nor counted out', async () => {
    const { main, deadLetters } = await openTestQueue({ maxDeliveryCount: 1 });
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'abandon' });
    for (let delivery = 0; delivery < 3; delivery += 1) {
      const [dead] = await receive(deadLetters, 1);
      await deadLetters.settle(dead!.token, { kind: 'abandon' });
    }
    const [dead] = await receive(deadLetters, 1);
    const cause = { kind: 'dead-letter', reason: undefined, description: undefined } as const;
    expect(await deadLetters.settle(dead!.token, cause)).toBe('not-allowed');
    expect(await deadLetters.settle(dead!.token, { kind: 'complete' })).toBe('settled');
  });
});

describe('time to live', () => {
  it('drops an expired message, or dead-letters it, without any receiver', async () => {
    for (const deadLetterOnExpiration of [false, true]) {
      const { main, deadLetters, clock } = await openTestQueue({ deadLetterOnExpiration });
      await main.send([incoming('short', 1_000), incoming('long')]);
      await clock.advance(1_000);
      expect((await main.peek({ fromSequenceNumber: 1, messagesMax: 10 })).map(bodyOf)).toEqual([
        'long',
      ]);
      expect(main.counters().active).toBe(1);
      const dead = await deadLetters.peek({ fromSequenceNumber: 1, messagesMax: 10 });
      expect(dead.map(bodyOf)).toEqual(deadLetterOnExpiration ? ['short'] : []);
      expect(dead.map(applicationPropertiesOf)).toEqual(
        dead.map(() => ({
          DeadLetterReason: 'TTLExpiredException',
          DeadLetterErrorDescription: 'The message expired and was dead lettered.',
        })),
      );
    }
  });

  it('is the lesser of what the message and the queue say', async () => {
    const { main } = await openTestQueue({ defaultTimeToLiveMs: 5_000 });
    await main.send([incoming('a'), incoming('b', 1_000), incoming('c', 9_000)]);
    const messages = await main.peek({ fromSequenceNumber: 1, messagesMax: 10 });
    expect(messages.map((message) => message.timeToLiveMs)).toEqual([5_000, 1_000, 5_000]);
  });

  it('lets a receiver that holds the message complete it, and expires it otherwise', async () => {
    const { main, clock } = await openTestQueue();
    await main.send([incoming('a', 1_000), incoming('b', 1_000)]);
    const [a, b] = await receive(main, 2);
    await clock.advance(2_000);
    expect(await main.settle(a!.token, { kind: 'complete' })).toBe('settled');
    await main.settle(b!.token, { kind: 'abandon' });
    await clock.advance(1);
    expect(await receive(main, 1)).toHaveLength(0);
    expect(main.counters()).toMatchObject({ active: 0 });
  });
});

describe('deferred messages', () => {
  it('are delivered only by sequence number', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'defer' });
    expect(await receive(main, 1)).toHaveLength(0);
    const outcome = await main.receiveDeferred({ numbers: [1], mode: 'peek-lock' });
    expect(outcome).toMatchObject({ kind: 'locked', locks: [{ message: { state: 'deferred' } }] });
    expect(await main.receiveDeferred({ numbers: [1], mode: 'peek-lock' })).toMatchObject({
      kind: 'not-found',
    });
  });

  it('stay deferred when they are abandoned', async () => {
    const { main } = await openTestQueue();
    await main.send([incoming('a')]);
    const [lock] = await receive(main, 1);
    await main.settle(lock!.token, { kind: 'defer' });
    const outcome = await main.receiveDeferred({ numbers: [1], mode: 'peek-lock' });
    if (outcome.kind !== 'locked') throw new Error(`Got ${outcome.kind}`);
    await main.settle(outcome.locks[0]!.token, { kind: 'abandon' });
    expect(await receive(main, 1)).toHaveLength(0);
    expect(await main.receiveDeferred({ numbers: [1], mode: 'receive-and-delete' })).toMatchObject({
      kind: 'removed',
    });
    expect(main.counters()).toMatchObject({ deferred: 0, sizeBytes: 0 });
  });
});

describe('peeking', () => {
  it('shows messages of every state from a sequence number on, locked or not', async () => {
    const { main } = await openTestQueue();
    await main.send(['a', 'b', 'c', 'd'].map((body) => incoming(body)));
    const [first] = await receive(main, 2);
    await main.settle(first!.token, { kind: 'defer' });
    const seen = await main.peek({ fromSequenceNumber: 1, messagesMax: 3 });
    expect(seen.map((m) => [m.sequenceNumber, m.state])).toEqual([
      [1, 'deferred'],
      [2, 'active'],
      [3, 'active'],
    ]);
    expect((await main.peek({ fromSequenceNumber: 4, messagesMax: 10 })).map(bodyOf)).toEqual([
      'd',
    ]);
    expect(await main.peek({ fromSequenceNumber: 5, messagesMax: 10 })).toEqual([]);
  });
});

describe('a queue that is opened again on its store', () => {
  it('goes on with its messages, counts and numbers, and expires what fell due', async () => {
    const { main, store, failures } = await openTestQueue();
    await main.send(['a', 'b', 'c'].map((body) => incoming(body)));
    await main.send([incoming('brief', 1)]);
    const [a, b] = await receive(main, 2);
    await main.settle(a!.token, { kind: 'complete' });
    await main.settle(b!.token, { kind: 'abandon' });
    main.close();

    const reopened = await openTestQueue({}, store);
    await reopened.clock.advance(10);
    const locks = await receive(reopened.main, 10);
    expect(locks.map(({ message }) => [message.sequenceNumber, message.deliveryCount])).toEqual([
      [2, 1],
      [3, 0],
    ]);
    expect(reopened.main.counters()).toMatchObject({ active: 2, nextSequenceNumber: 5 });
    expect([...failures, ...reopened.failures]).toEqual([]);
  });
});
