import rhea from 'rhea';
import { type IncomingMessage, readMessage } from '../message/message-codec.ts';
import type { Consumer } from '../queue/consumers.ts';
import type { MessageLock } from '../queue/lock-table.ts';
import { openQueue, type Queue } from '../queue/queue.ts';
import { DEFAULT_QUEUE_PROPERTIES, type QueueProperties } from '../queue/queue-properties.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { EmulatorStore, StoredMessage } from '../store/message-store.ts';
import { createVirtualClock } from './virtual-clock.ts';

/** A message as a client sends it, with its body as an AMQP value. */
export function incoming(body: unknown, timeToLiveMs?: number): IncomingMessage {
  return readMessage(rhea.message.encode({ body, ttl: timeToLiveMs }));
}

export function bodyOf(message: StoredMessage): unknown {
  return rhea.message.decode(message.payload)['body'];
}

export function applicationPropertiesOf(message: StoredMessage): unknown {
  return rhea.message.decode(message.payload)['application_properties'];
}

/** A receiver in memory, with as much credit as a test gives it. */
export interface TestReceiver extends Consumer {
  credit: number;
  readonly locks: MessageLock[];
  readonly removed: StoredMessage[];
  exhaustedCount: number;
}

export function createReceiver(mode: Consumer['mode'] = 'peek-lock'): TestReceiver {
  const receiver: TestReceiver = {
    mode,
    credit: 0,
    locks: [],
    removed: [],
    exhaustedCount: 0,
    capacity: () => receiver.credit,
    deliverLocked(lock) {
      receiver.credit -= 1;
      receiver.locks.push(lock);
    },
    reserve() {
      receiver.credit -= 1;
    },
    deliverRemoved: (message) => void receiver.removed.push(message),
    exhausted() {
      receiver.exhaustedCount += 1;
    },
  };
  return receiver;
}

/** Receives up to the count at once and leaves. */
export async function receive(queue: Queue, count: number): Promise<MessageLock[]> {
  const receiver = createReceiver();
  receiver.credit = count;
  const attachment = queue.attach(receiver);
  attachment.pull();
  await new Promise((resolve) => setImmediate(resolve));
  attachment.detach();
  return receiver.locks;
}

export async function openTestQueue(
  properties: Partial<QueueProperties> = {},
  store: EmulatorStore = createMemoryStore(),
) {
  const clock = createVirtualClock();
  let tokens = 0;
  const failures: unknown[] = [];
  const queues = await openQueue({
    id: 2,
    name: 'orders',
    properties: { ...DEFAULT_QUEUE_PROPERTIES, ...properties },
    store: store.messages,
    clock,
    createLockToken() {
      tokens += 1;
      const token = Buffer.alloc(16);
      token.writeUInt32BE(tokens);
      return token;
    },
    onFailure: (error) => failures.push(error),
  });
  return { ...queues, clock, store, failures };
}
