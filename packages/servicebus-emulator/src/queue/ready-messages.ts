import type { MessageStore, StoredMessage } from '../store/message-store.ts';

/** How much of a queue's head is held in memory, ready to be delivered without a read. */
const WINDOW_MESSAGES_MAX = 1_000;
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The messages that can be delivered now, in order: those that came back from a receiver, then a
 * window on the stored ones, which a cursor reads once each. So memory does not grow with the queue.
 */
export interface ReadyMessages {
  /** The next message, or undefined when none is in memory (then see hasMore). */
  take(): StoredMessage | undefined;
  /** True when the store holds messages that were not read yet. */
  hasMore(): boolean;
  /** Reads more messages; call it when take had nothing and hasMore. Runs once at a time. */
  refill(): Promise<void>;
  /** Tells of newly committed messages; their numbers grow from call to call. */
  append(messages: readonly StoredMessage[]): void;
  /** Gives back a message that was taken. */
  putBack(message: StoredMessage): void;
}

interface Window {
  messages: StoredMessage[];
  head: number;
  bytes: number;
}

function shift(window: Window): StoredMessage | undefined {
  const message = window.messages[window.head];
  if (message === undefined) return undefined;
  window.head += 1;
  window.bytes -= message.payload.length;
  if (window.head === window.messages.length) {
    window.messages = [];
    window.head = 0;
  } else if (window.head >= WINDOW_MESSAGES_MAX) {
    window.messages = window.messages.slice(window.head);
    window.head = 0;
  }
  return message;
}

function push(window: Window, message: StoredMessage): void {
  window.messages.push(message);
  window.bytes += message.payload.length;
}

function isFull(window: Window): boolean {
  const size = window.messages.length - window.head;
  return size >= WINDOW_MESSAGES_MAX || window.bytes >= WINDOW_BYTES_MAX;
}

export interface ReadyMessagesOptions {
  readonly queueId: number;
  readonly store: MessageStore;
  /** The greatest sequence number that is stored already; 0 for an empty queue. */
  readonly lastSequenceNumber: number;
}

export function createReadyMessages(options: ReadyMessagesOptions): ReadyMessages {
  const returned = createMinHeap<StoredMessage>((message) => message.sequenceNumber);
  const window: Window = { messages: [], head: 0, bytes: 0 };
  let cursor = 1;
  let lastCommitted = options.lastSequenceNumber;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const target = lastCommitted;
    const messages = await options.store.scan({
      queueId: options.queueId,
      fromSequenceNumber: cursor,
      messagesMax: WINDOW_MESSAGES_MAX,
      bytesMax: WINDOW_BYTES_MAX,
    });
    for (const message of messages) if (message.state === 'active') push(window, message);
    cursor = Math.max(cursor, (messages.at(-1)?.sequenceNumber ?? target) + 1);
  }

  return {
    take: () => returned.pop() ?? shift(window),
    hasMore: () => cursor <= lastCommitted,
    refill() {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    append(messages) {
      for (const message of messages) {
        const caughtUp = reading === undefined && cursor > lastCommitted;
        lastCommitted = message.sequenceNumber;
        // A scan may see a commit before its sender does: the message is in the window already.
        if (message.sequenceNumber < cursor) continue;
        if (caughtUp && !isFull(window)) {
          if (message.state === 'active') push(window, message);
          cursor = message.sequenceNumber + 1;
        }
      }
    },
    putBack: (message) => returned.push(message),
  };
}

/** A binary heap: the least item comes first. */
interface MinHeap<T> {
  push(item: T): void;
  pop(): T | undefined;
}

export function createMinHeap<T>(keyOf: (item: T) => number): MinHeap<T> {
  const items: T[] = [];
  const keyAt = (index: number): number => {
    const item = items[index];
    return item === undefined ? Number.POSITIVE_INFINITY : keyOf(item);
  };
  const swap = (a: number, b: number): void => {
    const held = items[a] as T;
    items[a] = items[b] as T;
    items[b] = held;
  };

  function sink(start: number): void {
    let index = start;
    for (;;) {
      const left = index * 2 + 1;
      const least = keyAt(left + 1) < keyAt(left) ? left + 1 : left;
      if (keyAt(least) >= keyAt(index)) return;
      swap(index, least);
      index = least;
    }
  }

  return {
    push(item) {
      items.push(item);
      let index = items.length - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (keyAt(parent) <= keyAt(index)) return;
        swap(index, parent);
        index = parent;
      }
    },
    pop() {
      const first = items[0];
      const last = items.pop();
      if (items.length > 0 && last !== undefined) {
        items[0] = last;
        sink(0);
      }
      return first;
    },
  };
}
