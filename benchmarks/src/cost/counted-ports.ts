import type { ChangePublisher, Clock, TableStore } from '@tandem/core';
import type { MemoryBus } from '@tandem/core/memory';
import { noteMessage, noteRequest, type Usage } from './usage.ts';

/** How long the services that are modelled take to answer, in milliseconds. */
export interface Latencies {
  readonly tableMs: number;
  /** To another region's namespace and back. */
  readonly busMs: number;
}

/** A store that counts, and answers after as long as a real one. */
export function countedStore(
  inner: TableStore,
  { clock, usage, tableMs }: { clock: Clock; usage: Usage } & Latencies,
): TableStore {
  const answered = async <Answer>(rows: number, ask: () => Promise<Answer>): Promise<Answer> => {
    noteRequest(usage, rows);
    await clock.sleep(tableMs);
    return ask();
  };
  return {
    createTable: (table) => inner.createTable(table),
    get: (...key) => answered(1, () => inner.get(...key)),
    commit: (transaction) =>
      answered(transaction.operations.length, () => inner.commit(transaction)),
    query: (range) => answered(1, () => inner.query(range)),
    timeMs: () => answered(1, () => inner.timeMs()),
  };
}

/** A bus that counts what is sent, and answers after as long as one in another region. */
export function countedBus(
  inner: MemoryBus,
  { clock, usage, busMs }: { clock: Clock; usage: Usage } & Latencies,
): MemoryBus {
  const counted = (publisher: ChangePublisher): ChangePublisher => ({
    peer: publisher.peer,
    close: () => publisher.close(),
    async publish(messages) {
      for (const { body } of messages) noteMessage(usage, body.length);
      await clock.sleep(busMs);
      await publisher.publish(messages);
    },
  });
  return { ...inner, publisherFor: (peer, queue) => counted(inner.publisherFor(peer, queue)) };
}
