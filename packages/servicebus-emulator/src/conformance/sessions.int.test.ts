import type { ServiceBusReceivedMessage, ServiceBusSessionReceiver } from '@azure/service-bus';
import { ServiceBusClient } from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import { receiveExactly, receiveOne, sequenceNumberOf } from '../testing/sdk-harness.ts';
import { useConformanceTarget, waitFor } from './conformance-target.ts';

const target = useConformanceTarget();

const WITH_SESSIONS = { requiresSession: true };
const bodies = (messages: readonly ServiceBusReceivedMessage[]) =>
  messages.map((m) => m.body as unknown);

/** A queue with sessions and a message in each of the named ones. */
async function queueWith(...sessionIds: string[]) {
  const queue = await target.newQueue(WITH_SESSIONS);
  for (const sessionId of sessionIds) {
    await queue.sender.sendMessages({ body: sessionId, sessionId });
  }
  return queue;
}

/** A client that waits only briefly for a free session. */
function impatientClient(): ServiceBusClient {
  const retryOptions = { maxRetries: 0, timeoutInMs: 500 };
  return new ServiceBusClient(target.connectionString, { retryOptions });
}

describe('accepting a session', () => {
  it('locks the named session and shows until when', async () => {
    const { name } = await queueWith('a', 'b');
    const receiver = await target.client.acceptSession(name, 'b');
    expect(receiver.sessionId).toBe('b');
    expect(receiver.sessionLockedUntilUtc.getTime()).toBeGreaterThan(Date.now() + 30_000);
    expect(bodies(await receiveExactly(receiver, 1))).toEqual(['b']);
    await receiver.close();
  });

  it('locks a named session that has no messages yet', async () => {
    const { name, sender } = await queueWith();
    const receiver = await target.client.acceptSession(name, 'new');
    await sender.sendMessages({ body: 1, sessionId: 'new' });
    expect(bodies(await receiveExactly(receiver, 1))).toEqual([1]);
    await receiver.close();
  });

  it('takes the next session that has messages', async () => {
    const { name } = await queueWith('only');
    const receiver = await target.client.acceptNextSession(name);
    expect(receiver.sessionId).toBe('only');
    await receiver.close();
  });

  it('gives each receiver of a next session another one', async () => {
    const { name } = await queueWith('a', 'b', 'c');
    const receivers = await Promise.all([1, 2, 3].map(() => target.client.acceptNextSession(name)));
    expect(receivers.map((r) => r.sessionId).sort()).toEqual(['a', 'b', 'c']);
    for (const receiver of receivers) await receiver.close();
  });

  it('waits for a session that gets a message while it waits', async () => {
    const { name, sender } = await queueWith();
    const waiting = target.client.acceptNextSession(name);
    await sender.sendMessages({ body: 1, sessionId: 'late' });
    const receiver = await waiting;
    expect(receiver.sessionId).toBe('late');
    await receiver.close();
  });

  it('answers that the time is over when no session is free', async () => {
    const { name } = await queueWith();
    const client = impatientClient();
    await expect(client.acceptNextSession(name)).rejects.toMatchObject({
      code: 'ServiceTimeout',
    });
    await client.close();
  });

  it('refuses a session that somebody else holds', async () => {
    const { name } = await queueWith('a');
    const receiver = await target.client.acceptSession(name, 'a');
    await expect(target.client.acceptSession(name, 'a')).rejects.toMatchObject({
      code: 'SessionCannotBeLocked',
    });
    await receiver.close();
  });

  it('lets somebody else have it after it was closed', async () => {
    const { name } = await queueWith('a');
    await (await target.client.acceptSession(name, 'a')).close();
    const again = await target.client.acceptSession(name, 'a');
    expect(bodies(await receiveExactly(again, 1))).toEqual(['a']);
    await again.close();
  });

  it('refuses a receiver without a session on a queue that requires sessions', async () => {
    const { name } = await queueWith('a');
    const receiver = target.client.createReceiver(name);
    await expect(receiver.receiveMessages(1)).rejects.toThrow('requires sessions');
  });
});

describe('sending to a queue with sessions', () => {
  it('refuses a message without a session id', async () => {
    const { sender } = await queueWith();
    await expect(sender.sendMessages({ body: 1 })).rejects.toThrow('SessionId was not set');
  });

  it('keeps the order within a session, whatever is sent to others in between', async () => {
    const { name, sender } = await queueWith();
    for (let n = 0; n < 10; n += 1) {
      await sender.sendMessages([
        { body: n, sessionId: 'a' },
        { body: -n, sessionId: 'b' },
      ]);
    }
    const receiver = await target.client.acceptSession(name, 'a');
    const messages = await receiveExactly(receiver, 10);
    expect(bodies(messages)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(messages.every((m) => m.sessionId === 'a')).toBe(true);
    await receiver.close();
  });

  it('delivers more messages of a session than it reads ahead', async () => {
    const { name, sender } = await queueWith();
    const sent = Array.from({ length: 130 }, (_, n) => n);
    await sender.sendMessages(sent.map((body) => ({ body, sessionId: 'many' })));
    const receiver = await target.client.acceptSession(name, 'many');
    expect(bodies(await receiveExactly(receiver, 130))).toEqual(sent);
    await receiver.close();
  });

  it('ignores the session id on a queue that requires none', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1, sessionId: 'ignored' });
    const message = await receiveOne(target.client.createReceiver(name));
    expect(message.sessionId).toBe('ignored');
  });
});

describe('a held session', () => {
  let receiver: ServiceBusSessionReceiver;
  const accept = async (name: string, id = 'a') => {
    receiver = await target.client.acceptSession(name, id);
    return receiver;
  };

  it('completes messages, which are gone then', async () => {
    const { name } = await queueWith('a');
    await accept(name);
    await receiver.completeMessage(await receiveOne(receiver));
    expect(await receiver.peekMessages(10)).toEqual([]);
    await receiver.close();
  });

  it('delivers an abandoned message again, before those behind it', async () => {
    const { name } = await queueWith('a', 'a');
    await accept(name);
    const message = await receiveOne(receiver);
    await receiver.abandonMessage(message);
    const again = await receiveOne(receiver);
    expect(again.sequenceNumber).toEqual(message.sequenceNumber);
    expect(again.deliveryCount).toBe(1);
    await receiver.close();
  });

  it('dead-letters messages, with their session id', async () => {
    const { name } = await queueWith('a');
    await accept(name);
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: 'why',
      deadLetterErrorDescription: 'because',
    });
    const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
    expect(await receiveOne(dead)).toMatchObject({ sessionId: 'a', deadLetterReason: 'why' });
    await receiver.close();
  });

  it('receives its deferred messages by number, and no other session does', async () => {
    const { name } = await queueWith('a', 'b');
    await accept(name);
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const number = sequenceNumberOf(message);
    const other = await target.client.acceptSession(name, 'b');
    await expect(other.receiveDeferredMessages(number)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    const [deferred] = await receiver.receiveDeferredMessages(number);
    expect(deferred?.body).toBe('a');
    if (deferred !== undefined) await receiver.completeMessage(deferred);
    expect(await receiver.peekMessages(1)).toEqual([]);
    await other.close();
    await receiver.close();
  });

  it('H6: peeks as many of its messages as there are, however many of others lie between', async () => {
    const alternating = Array.from({ length: 10 }, (_, index) => 'ab'[index % 2] ?? 'a');
    const { name } = await queueWith(...alternating, ...Array<string>(300).fill('b'), 'a');
    await accept(name);
    expect(await receiver.peekMessages(10)).toHaveLength(6);
    expect(await receiver.peekMessages(10)).toEqual([]);
    await receiver.close();
  });

  it('peeks its own messages only', async () => {
    const { name } = await queueWith('a', 'b', 'a');
    await accept(name);
    expect(bodies(await receiver.peekMessages(10))).toEqual(['a', 'a']);
    await receiver.close();
  });

  it('receives and deletes', async () => {
    const { name } = await queueWith('a');
    const deleting = await target.client.acceptSession(name, 'a', {
      receiveMode: 'receiveAndDelete',
    });
    expect(bodies(await receiveExactly(deleting, 1))).toEqual(['a']);
    expect(await deleting.peekMessages(1)).toEqual([]);
    await deleting.close();
  });

  it('streams messages that arrive while it subscribes', async () => {
    const { name, sender } = await queueWith('a');
    await accept(name);
    const seen: unknown[] = [];
    const subscription = receiver.subscribe({
      processMessage: async (message) => void seen.push(message.body),
      processError: async () => undefined,
    });
    await sender.sendMessages({ body: 'later', sessionId: 'a' });
    await waitFor('both messages', () => (seen.length === 2 ? true : undefined));
    expect(seen).toEqual(['a', 'later']);
    await subscription.close();
    await receiver.close();
  });

  it('does not count a delivery when the session is closed with messages locked', async () => {
    const { name } = await queueWith('a');
    await receiveOne(await accept(name));
    await receiver.close();
    const again = await receiveOne(await accept(name));
    expect(again.deliveryCount).toBe(0);
    await receiver.close();
  });
});

describe('the lock on a session', () => {
  /** Long enough to receive a message meanwhile on a busy machine, and allowed by every target. */
  const LOCK = 'PT5S';
  const noRenewal = { maxAutoLockRenewalDurationInMs: 0 };

  async function acceptBriefly(lockDuration = target.shortLock.duration) {
    const { name, sender } = await target.newQueue({ requiresSession: true, lockDuration });
    await sender.sendMessages({ body: 1, sessionId: 'a' });
    return { name, receiver: await target.client.acceptSession(name, 'a', noRenewal) };
  }
  const isOver = (receiver: ServiceBusSessionReceiver) =>
    waitFor('the lock to expire', () =>
      receiver.sessionLockedUntilUtc.getTime() + 100 < Date.now() ? true : undefined,
    );

  it('is extended when it is renewed', async () => {
    const { receiver } = await acceptBriefly(LOCK);
    const before = receiver.sessionLockedUntilUtc.getTime();
    const renewed = await receiver.renewSessionLock();
    expect(renewed.getTime()).toBeGreaterThanOrEqual(before);
    expect(receiver.sessionLockedUntilUtc).toEqual(renewed);
    await receiver.close();
  });

  it('expires: its messages cannot be settled, and are counted as delivered', async () => {
    const { name, receiver } = await acceptBriefly(LOCK);
    const message = await receiveOne(receiver);
    await isOver(receiver);
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({
      code: 'SessionLockLost',
    });
    const again = await target.client.acceptSession(name, 'a');
    expect((await receiveOne(again)).deliveryCount).toBe(1);
    await again.close();
    await receiver.close();
  });

  it('cannot be renewed once it has expired', async () => {
    const { receiver } = await acceptBriefly();
    await isOver(receiver);
    await expect(receiver.renewSessionLock()).rejects.toMatchObject({ code: 'SessionLockLost' });
    await receiver.close();
  });

  it('leaves the session to the next receiver when it has expired', async () => {
    const { name, receiver } = await acceptBriefly();
    await isOver(receiver);
    const next = await target.client.acceptNextSession(name, noRenewal);
    expect(next.sessionId).toBe('a');
    await next.close();
    await receiver.close();
  });

  it('ends with the connection of its holder', async () => {
    const { name } = await queueWith('a');
    const other = new ServiceBusClient(target.connectionString);
    await other.acceptSession(name, 'a');
    await other.close();
    const receiver = await target.client.acceptSession(name, 'a');
    expect(await receiveExactly(receiver, 1)).toHaveLength(1);
    await receiver.close();
  });
});

describe('the state of a session', () => {
  it('is empty at first', async () => {
    const { name } = await queueWith('a');
    const receiver = await target.client.acceptSession(name, 'a');
    expect(await receiver.getSessionState()).toBeNull();
    await receiver.close();
  });

  it('is kept for whoever accepts the session next', async () => {
    const { name } = await queueWith('a');
    const first = await target.client.acceptSession(name, 'a');
    await first.setSessionState({ step: 3 });
    await first.close();
    const second = await target.client.acceptSession(name, 'a');
    expect(await second.getSessionState()).toEqual({ step: 3 });
    await second.close();
  });

  it('outlives the messages of its session', async () => {
    const { name } = await queueWith('a');
    const first = await target.client.acceptSession(name, 'a');
    await first.setSessionState('kept');
    await first.completeMessage(await receiveOne(first));
    await first.close();
    const second = await target.client.acceptSession(name, 'a');
    expect(await second.getSessionState()).toBe('kept');
    await second.close();
  });

  it('is not that of another session', async () => {
    const { name } = await queueWith('a', 'b');
    const a = await target.client.acceptSession(name, 'a');
    await a.setSessionState('of a');
    const b = await target.client.acceptSession(name, 'b');
    expect(await b.getSessionState()).toBeNull();
    await a.close();
    await b.close();
  });
});
