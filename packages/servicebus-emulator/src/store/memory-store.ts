import {
  type DueMessage,
  EMPTY_COUNTERS,
  type EmulatorStore,
  type MessageStore,
  type NoteKey,
  type QueueCatalog,
  type QueueCounters,
  type ScanDueOptions,
  type ScanOptions,
  type StoredMessage,
  type StoredQueue,
  type StoreWrite,
} from './message-store.ts';

interface QueueContent {
  readonly messages: SequencedMessages;
  readonly due: DueIndex;
  readonly notes: Record<NoteKey['kind'], Map<string, Buffer>>;
  counters: QueueCounters;
}

const newContent = (): QueueContent => ({
  messages: createSequencedMessages(),
  due: createDueIndex(),
  notes: { 'session-state': new Map(), 'session-updated': new Map(), 'seen-message': new Map() },
  counters: EMPTY_COUNTERS,
});

function applyWrite(content: QueueContent, write: StoreWrite): void {
  if (write.kind === 'counters') {
    content.counters = write.counters;
    return;
  }
  if (write.kind === 'note') {
    const { key, value } = write;
    if (value === undefined) content.notes[key.kind].delete(key.name);
    else content.notes[key.kind].set(key.name, value);
    return;
  }
  const { dueAtMs, sequenceNumber } = write.message;
  if (write.kind === 'put') {
    content.messages.put(write.message);
    if (dueAtMs !== undefined) content.due.add({ dueAtMs, sequenceNumber });
  } else {
    content.messages.remove(sequenceNumber);
    if (dueAtMs !== undefined) content.due.remove({ dueAtMs, sequenceNumber });
  }
}

function createMemoryCatalog(contents: Map<number, QueueContent>): QueueCatalog {
  const queues = new Map<number, StoredQueue>();
  let nextId = 2;
  return {
    load: () => Promise.resolve([...queues.values()]),
    allocateId() {
      nextId += 2;
      return Promise.resolve(nextId - 2);
    },
    save(queue) {
      queues.set(queue.id, queue);
      return Promise.resolve();
    },
    drop(id) {
      queues.delete(id);
      contents.delete(id);
      contents.delete(id + 1);
      return Promise.resolve();
    },
  };
}

/** Keeps everything in this process; nothing survives it. */
export function createMemoryStore(): EmulatorStore {
  const contents = new Map<number, QueueContent>();
  const contentOf = (queueId: number): QueueContent => {
    const content = contents.get(queueId) ?? newContent();
    contents.set(queueId, content);
    return content;
  };
  const messages: MessageStore = {
    commit(writes) {
      for (const write of writes) applyWrite(contentOf(write.queueId), write);
      return Promise.resolve();
    },
    read: (queueId, number) => Promise.resolve(contentOf(queueId).messages.get(number)),
    scan: (options) => Promise.resolve(contentOf(options.queueId).messages.scan(options)),
    scanDue: (options) => Promise.resolve(contentOf(options.queueId).due.scan(options)),
    loadCounters: (queueId) => Promise.resolve(contentOf(queueId).counters),
    readNote: (queueId, { kind, name }) =>
      Promise.resolve(contentOf(queueId).notes[kind].get(name)),
    loadNotes(queueId, kind) {
      const notes = [...contentOf(queueId).notes[kind]];
      return Promise.resolve(notes.map(([name, value]) => ({ name, value })));
    },
  };
  return { messages, catalog: createMemoryCatalog(contents), close: () => Promise.resolve() };
}

const BUCKET_MS = 1_000;

/** Which messages are due when: constant-time changes, ordered reads; buckets of one second. */
interface DueIndex {
  add(entry: DueMessage): void;
  remove(entry: DueMessage): void;
  scan(options: Omit<ScanDueOptions, 'queueId'>): DueMessage[];
}

function isBehind(entry: DueMessage, after: DueMessage | undefined): boolean {
  if (after === undefined) return true;
  if (entry.dueAtMs !== after.dueAtMs) return entry.dueAtMs > after.dueAtMs;
  return entry.sequenceNumber > after.sequenceNumber;
}

function compareDue(a: DueMessage, b: DueMessage): number {
  return a.dueAtMs - b.dueAtMs || a.sequenceNumber - b.sequenceNumber;
}

function createDueIndex(): DueIndex {
  const buckets = new Map<number, Map<number, number>>();
  const bucketOf = (dueAtMs: number) => Math.floor(dueAtMs / BUCKET_MS);
  return {
    add({ dueAtMs, sequenceNumber }) {
      const bucket = buckets.get(bucketOf(dueAtMs));
      if (bucket === undefined)
        buckets.set(bucketOf(dueAtMs), new Map([[sequenceNumber, dueAtMs]]));
      else bucket.set(sequenceNumber, dueAtMs);
    },
    remove({ dueAtMs, sequenceNumber }) {
      const bucket = buckets.get(bucketOf(dueAtMs));
      if (bucket?.delete(sequenceNumber) === true && bucket.size === 0) {
        buckets.delete(bucketOf(dueAtMs));
      }
    },
    scan({ untilMs, messagesMax, after }) {
      const first = after === undefined ? Number.NEGATIVE_INFINITY : bucketOf(after.dueAtMs);
      const numbers = [...buckets.keys()].filter((n) => n >= first && n <= bucketOf(untilMs));
      const found: DueMessage[] = [];
      for (const number of numbers.sort((a, b) => a - b)) {
        const entries = [...(buckets.get(number) ?? [])]
          .map(([sequenceNumber, dueAtMs]) => ({ dueAtMs, sequenceNumber }))
          .filter((entry) => entry.dueAtMs <= untilMs && isBehind(entry, after));
        found.push(...entries.sort(compareDue));
        if (found.length >= messagesMax) break;
      }
      return found.slice(0, messagesMax);
    },
  };
}

const BLOCK_SIZE = 256;

/** Messages by sequence number, in blocks, so that a scan skips what was removed. */
interface SequencedMessages {
  get(sequenceNumber: number): StoredMessage | undefined;
  put(message: StoredMessage): void;
  remove(sequenceNumber: number): void;
  scan(options: Omit<ScanOptions, 'queueId'>): StoredMessage[];
}

/** Blocks stay ordered because new sequence numbers only ever grow. */
function createSequencedMessages(): SequencedMessages {
  const blocks = new Map<number, Map<number, StoredMessage>>();
  const blockOf = (sequenceNumber: number) => Math.floor(sequenceNumber / BLOCK_SIZE);
  return {
    get: (sequenceNumber) => blocks.get(blockOf(sequenceNumber))?.get(sequenceNumber),
    put(message) {
      const number = blockOf(message.sequenceNumber);
      const block = blocks.get(number);
      if (block === undefined) blocks.set(number, new Map([[message.sequenceNumber, message]]));
      else block.set(message.sequenceNumber, message);
    },
    remove(sequenceNumber) {
      const number = blockOf(sequenceNumber);
      const block = blocks.get(number);
      if (block?.delete(sequenceNumber) === true && block.size === 0) blocks.delete(number);
    },
    scan({ fromSequenceNumber, messagesMax, bytesMax }) {
      const found: StoredMessage[] = [];
      let bytes = 0;
      for (const [number, block] of blocks) {
        if (number < blockOf(fromSequenceNumber)) continue;
        for (const message of block.values()) {
          if (message.sequenceNumber < fromSequenceNumber) continue;
          if (found.length >= messagesMax || bytes >= bytesMax) return found;
          found.push(message);
          bytes += message.payload.length;
        }
      }
      return found;
    },
  };
}
