import type { NoteKey, QueueCounters, StoredMessage, StoreWrite } from '../store/message-store.ts';
import type { QueueCore } from './queue-core.ts';

/** A message that has no number in its (new) queue yet. */
export type MessageDraft = Omit<StoredMessage, 'sequenceNumber' | 'enqueuedSequenceNumber'> &
  Partial<Pick<StoredMessage, 'enqueuedSequenceNumber'>>;

/** Several changes that take effect together, in one queue or in a queue and its dead letters. */
export interface QueueChange {
  /** Gives the message the next number and adds it. */
  append(core: QueueCore, draft: MessageDraft): StoredMessage;
  remove(core: QueueCore, message: StoredMessage): void;
  replace(core: QueueCore, change: { from: StoredMessage; to: StoredMessage }): void;
  /** Remembers the value under the key, or forgets it. */
  note(core: QueueCore, key: NoteKey, value: Buffer | undefined): void;
  /** Resolves when the change is committed and its new messages can be delivered. */
  commit(): Promise<void>;
}

function sizeOf(message: StoredMessage): number {
  return message.payload.length + (message.annotations?.length ?? 0);
}

function count(counters: QueueCounters, message: StoredMessage, sign: 1 | -1): QueueCounters {
  const sizeBytes = counters.sizeBytes + sign * sizeOf(message);
  return { ...counters, [message.state]: counters[message.state] + sign, sizeBytes };
}

export function createChange(): QueueChange {
  const writes: StoreWrite[] = [];
  const touched = new Map<QueueCore, StoredMessage[]>();
  const touch = (core: QueueCore): StoredMessage[] => {
    const appended = touched.get(core) ?? [];
    touched.set(core, appended);
    return appended;
  };
  return {
    append(core, draft) {
      const sequenceNumber = core.counters.nextSequenceNumber;
      const message = { enqueuedSequenceNumber: sequenceNumber, ...draft, sequenceNumber };
      const counters = { ...core.counters, nextSequenceNumber: sequenceNumber + 1 };
      core.counters = count(counters, message, 1);
      touch(core).push(message);
      writes.push({ kind: 'put', queueId: core.id, message });
      return message;
    },
    remove(core, message) {
      core.counters = count(core.counters, message, -1);
      touch(core);
      writes.push({ kind: 'remove', queueId: core.id, message });
    },
    replace(core, { from, to }) {
      core.counters = count(count(core.counters, from, -1), to, 1);
      touch(core);
      writes.push({ kind: 'put', queueId: core.id, message: to });
    },
    note(core, key, value) {
      touch(core);
      writes.push({ kind: 'note', queueId: core.id, key, value });
    },
    async commit() {
      for (const core of touched.keys()) {
        writes.push({ kind: 'counters', queueId: core.id, counters: core.counters });
      }
      const [store] = [...touched.keys()].map((core) => core.store);
      await store?.commit(writes);
      for (const [core, appended] of touched) {
        if (appended.length === 0) continue;
        core.ready.append(appended);
        core.pump();
      }
    },
  };
}
