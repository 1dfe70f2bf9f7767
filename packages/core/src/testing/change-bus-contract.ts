import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChangePublisher, OutboundMessage } from '../ports/change-publisher.ts';
import type { ChangeReceiver, InboundMessage, Settlement } from '../ports/change-receiver.ts';

/** A fresh queue with one publisher and two competing receivers. */
export interface ChangeBusHarness {
  readonly peer: string;
  readonly publisher: ChangePublisher;
  readonly receiver: ChangeReceiver;
  readonly competitor: ChangeReceiver;
  /** A body of this many bytes is accepted; one of `messageBytesRefused` never. */
  readonly messageBytesAccepted: number;
  readonly messageBytesRefused: number;
  readonly lockDurationMs: number;
  /** Lets time go by until `work` is done: advances a virtual clock, merely waits for a real one. */
  readonly drive: <T>(work: Promise<T>) => Promise<T>;
  /** The clock of the queue. */
  readonly nowMs: () => number;
  readonly deadLetters: () => Promise<readonly DeadLetterSeen[]>;
  readonly close: () => Promise<void>;
}

export interface DeadLetterSeen {
  readonly messageId: string;
  readonly reason: string | undefined;
  readonly description: string | undefined;
}

/** Enough for anything that is on its way; never used up when all is well. */
const PATIENCE_MS = 20_000;
/** Long enough for a queue to show what should not be there. */
const GLANCE_MS = 300;
const HOUR_MS = 3_600_000;
const ROUNDS_MAX = 500;

/** Tests what every adapter of `ChangePublisher` and `ChangeReceiver` promises, together. */
export function describeChangeBusContract(
  name: string,
  createHarness: () => Promise<ChangeBusHarness>,
): void {
  describe(`change bus contract: ${name}`, () => {
    let harness: ChangeBusHarness;

    beforeEach(async () => {
      harness = await createHarness();
    });

    afterEach(async () => {
      await harness.close();
    });

    const receive = (countMax = 100, waitMsMax = PATIENCE_MS): Promise<InboundMessage[]> =>
      harness.drive(harness.receiver.receive(countMax, waitMsMax));

    const receiveOne = async (from = harness.receiver): Promise<InboundMessage> => {
      const [message] = await harness.drive(from.receive(1, PATIENCE_MS));
      if (message === undefined) throw new Error('no message arrived in time');
      return message;
    };

    const gather = async (count: number): Promise<InboundMessage[]> => {
      const all: InboundMessage[] = [];
      for (let round = 0; all.length < count && round < ROUNDS_MAX; round += 1) {
        const some = await receive(count - all.length);
        if (some.length === 0) break;
        all.push(...some);
      }
      return all;
    };

    const drain = async (count: number): Promise<InboundMessage[]> => {
      const all = await gather(count);
      for (const one of all) await harness.receiver.settle(one, { kind: 'complete' });
      return all;
    };

    describe('sending', () => {
      test('names the peer', () => {
        expect(harness.publisher.peer).toBe(harness.peer);
      });

      test('what was sent is received as it was', async () => {
        await harness.publisher.publish([
          { messageId: 'one', subject: 'change-set', body: bytesOf('1') },
          { messageId: 'two', subject: 'watermark', body: bytesOf('2') },
        ]);
        const seen = (await drain(2)).map((one) => [one.messageId, one.subject, textOf(one.body)]);
        expect(seen).toEqual([
          ['one', 'change-set', '1'],
          ['two', 'watermark', '2'],
        ]);
      });

      test('sending nothing is no error', async () => {
        await harness.publisher.publish([]);
        await expect(receive(1, GLANCE_MS)).resolves.toEqual([]);
      });

      test('messages arrive in the order of acceptance, with ascending sequence numbers', async () => {
        const first = numbered(0, 150);
        const second = numbered(150, 50);
        await harness.publisher.publish(first);
        await harness.publisher.publish(second);
        const received = await drain(200);
        expect(received.map((one) => one.messageId)).toEqual(
          [...first, ...second].map((one) => one.messageId),
        );
        const numbers = received.map((one) => one.sequenceNumber);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => (a < b ? -1 : 1)));
      });

      test.each([
        ['every byte value', Uint8Array.from({ length: 256 }, (_, index) => index)],
        ['no bytes at all', new Uint8Array()],
        ['200 KiB', Uint8Array.from({ length: 200 * 1_024 }, (_, index) => (index * 31) % 251)],
        ['what looks like JSON', bytesOf('{"a":1}')],
      ])('a body of %s arrives byte for byte', async (_, body) => {
        await harness.publisher.publish([{ messageId: 'bytes', subject: 'change-set', body }]);
        const message = await receiveOne();
        expect(message.body).toBeInstanceOf(Uint8Array);
        expect(Buffer.from(message.body).equals(Buffer.from(body))).toBe(true);
      });

      test('thousands of messages arrive in order', async () => {
        const sent = numbered(0, 2_500);
        await harness.publisher.publish(sent);
        const received: string[] = [];
        for (let round = 0; received.length < sent.length && round < ROUNDS_MAX; round += 1) {
          const some = await receive(1_000);
          if (some.length === 0) break;
          received.push(...some.map((one) => one.messageId));
          await Promise.all(some.map((one) => harness.receiver.settle(one, { kind: 'complete' })));
        }
        expect(received).toEqual(sent.map((one) => one.messageId));
      });

      test('more than fits one transfer is sent all the same', async () => {
        const count = 12;
        const body = new Uint8Array(harness.messageBytesAccepted / 4);
        await harness.publisher.publish(
          numbered(0, count).map((message) => ({ ...message, body })),
        );
        const received = await drain(count);
        expect(received.map((one) => one.messageId)).toEqual(
          numbered(0, count).map((one) => one.messageId),
        );
      });

      test('a message too large is refused with its id, its size and the limit', async () => {
        const { publisher, messageBytesAccepted, messageBytesRefused } = harness;
        const body = new Uint8Array(messageBytesRefused);
        const sent = publisher.publish([{ messageId: 'big-one', subject: 'change-set', body }]);
        const error: unknown = await sent.catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          code: 'MESSAGE_TOO_LARGE',
          details: {
            messageId: 'big-one',
            bytes: expect.any(Number),
            bytesMax: expect.any(Number),
          },
        });
        expect(String(error)).toContain('big-one');
        const largest = new Uint8Array(messageBytesAccepted);
        await publisher.publish([{ messageId: 'next', subject: 'change-set', body: largest }]);
        expect((await receiveOne()).messageId).toBe('next');
      });

      test('a closed publisher says that the bus is unavailable', async () => {
        await harness.publisher.close();
        await harness.publisher.close();
        await expect(harness.publisher.publish(numbered(0, 1))).rejects.toMatchObject({
          code: 'BUS_UNAVAILABLE',
        });
      });
    });

    describe('receiving', () => {
      test('gives at most as many as asked for', async () => {
        await harness.publisher.publish(numbered(0, 5));
        const received = [...(await receive(3)), ...(await receive(3))];
        expect(received.map((one) => one.messageId)).toEqual(
          numbered(0, 5).map((one) => one.messageId),
        );
      });

      test('gives nothing when nothing arrives in time', async () => {
        await expect(receive(10, GLANCE_MS)).resolves.toEqual([]);
      });

      test('what arrives while waiting ends the wait', async () => {
        const pending = harness.receiver.receive(10, HOUR_MS);
        await harness.publisher.publish(numbered(0, 1));
        expect(await harness.drive(pending)).toHaveLength(1);
      });

      test('a locked message is given to nobody else', async () => {
        await harness.publisher.publish(numbered(0, 1));
        await receiveOne();
        const others = await harness.drive(harness.competitor.receive(1, GLANCE_MS));
        expect(others).toEqual([]);
      });

      test('an abort ends the wait at once', async () => {
        const controller = new AbortController();
        const pending = harness.receiver.receive(10, HOUR_MS, controller.signal);
        controller.abort(new Error('enough'));
        await expect(pending).resolves.toEqual([]);
        await expect(harness.receiver.receive(10, HOUR_MS, controller.signal)).resolves.toEqual([]);
      });

      test('an abort at any moment loses no message', async () => {
        const seen: string[] = [];
        const sent = numbered(0, 20);
        for (const message of sent) {
          const controller = new AbortController();
          const pending = harness.receiver.receive(10, HOUR_MS, controller.signal);
          await harness.publisher.publish([message]);
          controller.abort();
          for (const one of await pending) {
            await harness.receiver.settle(one, { kind: 'complete' });
            seen.push(one.messageId);
          }
        }
        seen.push(...(await drain(sent.length - seen.length)).map((one) => one.messageId));
        expect(seen.sort()).toEqual(sent.map((one) => one.messageId));
      });

      test('closing ends a waiting receive, and all later calls say so', async () => {
        const pending = harness.receiver.receive(10, HOUR_MS);
        await harness.receiver.close();
        await expect(pending).resolves.toEqual([]);
        await harness.receiver.close();
        const unavailable = { code: 'BUS_UNAVAILABLE' };
        await expect(harness.receiver.receive(1, 0)).rejects.toMatchObject(unavailable);
        await expect(harness.receiver.oldestMessage()).rejects.toMatchObject(unavailable);
        await expect(harness.receiver.countDeadLetters(1)).rejects.toMatchObject(unavailable);
      });

      test('what was left when a receiver closed is received by another', async () => {
        const pending = harness.receiver.receive(10, HOUR_MS);
        await harness.receiver.close();
        await pending;
        await harness.publisher.publish(numbered(0, 1));
        expect((await receiveOne(harness.competitor)).messageId).toBe('message-00000');
      });
    });

    describe('settling', () => {
      beforeEach(async () => {
        await harness.publisher.publish(numbered(0, 1));
      });

      test('a completed message is gone', async () => {
        const message = await receiveOne();
        await expect(harness.receiver.settle(message, { kind: 'complete' })).resolves.toBe(
          'settled',
        );
        await expect(harness.receiver.oldestMessage()).resolves.toBeUndefined();
      });

      test('an abandoned message is delivered again, with one more delivery counted', async () => {
        const first = await receiveOne();
        expect(first.deliveryCount).toBe(1);
        await expect(harness.receiver.settle(first, { kind: 'abandon' })).resolves.toBe('settled');
        const second = await receiveOne();
        expect(second).toMatchObject({
          messageId: first.messageId,
          sequenceNumber: first.sequenceNumber,
          deliveryCount: 2,
        });
      });

      test('a dead-lettered message lies there with its reason', async () => {
        const message = await receiveOne();
        const settlement = {
          kind: 'dead-letter',
          reason: 'CHANGE_UNDECODABLE',
          description: 'Not UTF-8: "naïve".',
        } as const;
        await expect(harness.receiver.settle(message, settlement)).resolves.toBe('settled');
        await expect(harness.deadLetters()).resolves.toEqual([
          {
            messageId: message.messageId,
            reason: settlement.reason,
            description: settlement.description,
          },
        ]);
        await expect(receive(1, GLANCE_MS)).resolves.toEqual([]);
      });

      test.each([
        { kind: 'complete' },
        { kind: 'abandon' },
        { kind: 'dead-letter', reason: 'CHANGE_TOO_OLD', description: 'Twice.' },
      ] as const)('to $kind a message that is settled finds the lock lost', async (settlement) => {
        const message = await receiveOne();
        await harness.receiver.settle(message, { kind: 'complete' });
        await expect(harness.receiver.settle(message, settlement)).resolves.toBe('lock-lost');
        await expect(harness.receiver.renewLock(message)).resolves.toBe('lock-lost');
      });

      test('messages settled at once in different ways each meet their own fate', async () => {
        await harness.publisher.publish(numbered(1, 9));
        const messages = await gather(10);
        const fates = messages.map((_, index): Settlement => {
          if (index % 3 === 0) return { kind: 'complete' };
          if (index % 3 === 1) return { kind: 'abandon' };
          return { kind: 'dead-letter', reason: `REASON_${index}`, description: 'Its own.' };
        });
        await Promise.all(
          messages.map((one, index) =>
            harness.receiver.settle(one, fates[index] ?? { kind: 'complete' }),
          ),
        );
        const deadLetters = await harness.deadLetters();
        expect(deadLetters.map(({ messageId, reason }) => [messageId, reason])).toEqual(
          [2, 5, 8].map((index) => [messages[index]?.messageId, `REASON_${index}`]),
        );
        const again = await gather(3);
        expect(again.map(({ messageId }) => messageId)).toEqual(
          [1, 4, 7].map((index) => messages[index]?.messageId),
        );
      });

      test('when its lock ends, a message is delivered again and cannot be settled', async () => {
        const first = await receiveOne();
        const second = await receiveOne(harness.competitor);
        expect(second).toMatchObject({ messageId: first.messageId, deliveryCount: 2 });
        for (const kind of ['complete', 'abandon'] as const) {
          await expect(harness.receiver.settle(first, { kind })).resolves.toBe('lock-lost');
        }
        await expect(harness.receiver.renewLock(first)).resolves.toBe('lock-lost');
        await expect(harness.competitor.settle(second, { kind: 'complete' })).resolves.toBe(
          'settled',
        );
      });

      test('a renewed lock lasts', async () => {
        const { receiver, competitor, lockDurationMs, drive } = harness;
        const message = await receiveOne();
        await expect(drive(competitor.receive(1, lockDurationMs * 0.55))).resolves.toEqual([]);
        await expect(receiver.renewLock(message)).resolves.toBe('renewed');
        await expect(drive(competitor.receive(1, lockDurationMs * 0.55))).resolves.toEqual([]);
        await expect(receiver.settle(message, { kind: 'complete' })).resolves.toBe('settled');
      });
    });

    describe('looking into the queue', () => {
      test('an empty queue has no lowest sequence number', async () => {
        await expect(harness.receiver.oldestMessage()).resolves.toBeUndefined();
      });

      test('the oldest message tells when the queue accepted it', async () => {
        const beforeMs = harness.nowMs();
        await harness.publisher.publish(numbered(0, 1));
        const afterMs = harness.nowMs();
        const oldest = await harness.receiver.oldestMessage();
        expect(oldest?.enqueuedAtMs).toBeGreaterThanOrEqual(beforeMs);
        expect(oldest?.enqueuedAtMs).toBeLessThanOrEqual(afterMs);
      });

      test('the lowest sequence number counts messages that are locked', async () => {
        await harness.publisher.publish(numbered(0, 3));
        const [first, second] = await receive(2);
        if (first === undefined || second === undefined) throw new Error('two messages were sent');
        const { receiver } = harness;
        await expect(receiver.oldestMessage()).resolves.toMatchObject({
          sequenceNumber: first.sequenceNumber,
        });
        await expect(receiver.oldestMessage()).resolves.toMatchObject({
          sequenceNumber: first.sequenceNumber,
        });
        await receiver.settle(first, { kind: 'complete' });
        await expect(receiver.oldestMessage()).resolves.toMatchObject({
          sequenceNumber: second.sequenceNumber,
        });
      });

      test('the lowest sequence number passes over dead letters', async () => {
        await harness.publisher.publish(numbered(0, 2));
        const [first, second] = await receive(2);
        if (first === undefined || second === undefined) throw new Error('two messages were sent');
        await harness.receiver.settle(first, {
          kind: 'dead-letter',
          reason: 'CHANGE_TOO_OLD',
          description: 'Older than what is kept.',
        });
        await expect(harness.receiver.oldestMessage()).resolves.toMatchObject({
          sequenceNumber: second.sequenceNumber,
        });
      });

      test('dead letters are counted, up to a bound', async () => {
        await harness.publisher.publish(numbered(0, 4));
        for (const message of await receive(3)) {
          await harness.receiver.settle(message, {
            kind: 'dead-letter',
            reason: 'CHANGE_UNDECODABLE',
            description: 'Not a change set.',
          });
        }
        await expect(harness.receiver.countDeadLetters(100)).resolves.toBe(3);
        await expect(harness.receiver.countDeadLetters(2)).resolves.toBe(2);
        await expect(harness.receiver.countDeadLetters(100)).resolves.toBe(3);
      });
    });
  });
}

function numbered(from: number, count: number): OutboundMessage[] {
  return Array.from({ length: count }, (_, index) => ({
    messageId: `message-${String(from + index).padStart(5, '0')}`,
    subject: 'change-set',
    body: bytesOf(`body ${from + index}`),
  }));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
