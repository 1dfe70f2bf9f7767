import type { MessageStore, StoredMessage } from '../../store/message-store.ts';
import { createMinHeap } from '../min-heap.ts';
import type { ReadyMessages } from '../ready-messages.ts';

const READ_AHEAD_MAX = 50;

/** The messages of one session that can be delivered now, in order. */
export interface SessionMessages extends ReadyMessages {
  /** False when take and refill would find nothing; messages that expired meanwhile still count. */
  isEmpty(): boolean;
}

/** Keeps the numbers of a session's messages, and in memory only those that came back or are next. */
export function createSessionMessages(queueId: number, store: MessageStore): SessionMessages {
  const inMemory = createMinHeap<StoredMessage>((message) => message.sequenceNumber);
  let inMemoryCount = 0;
  let numbers: number[] = [];
  let head = 0;
  let reading: Promise<void> | undefined;

  const add = (message: StoredMessage): void => {
    inMemory.push(message);
    inMemoryCount += 1;
  };
  async function read(): Promise<void> {
    const wanted = numbers.slice(head, head + READ_AHEAD_MAX);
    const found = await Promise.all(wanted.map((number) => store.read(queueId, number)));
    for (const message of found) if (message?.state === 'active') add(message);
    head += wanted.length;
    if (head < READ_AHEAD_MAX) return;
    numbers = numbers.slice(head);
    head = 0;
  }

  return {
    take() {
      const message = inMemory.pop();
      if (message !== undefined) inMemoryCount -= 1;
      return message;
    },
    hasMore: () => head < numbers.length,
    refill() {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    append(messages) {
      for (const { state, sequenceNumber } of messages) {
        if (state === 'active') numbers.push(sequenceNumber);
      }
    },
    putBack: add,
    isEmpty: () => inMemoryCount === 0 && head >= numbers.length,
  };
}
