import { createDueIndex, type DueIndex } from './due-index.ts';
import {
  EMPTY_COUNTERS,
  type EmulatorStore,
  type MessageStore,
  type NoteKey,
  type QueueCatalog,
  type QueueCounters,
  type StoreWrite,
  type StoredQueue,
} from './message-store.ts';
import { createSequencedMessages, type SequencedMessages } from './sequenced-messages.ts';

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
