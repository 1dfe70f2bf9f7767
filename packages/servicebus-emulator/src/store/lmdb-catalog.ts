import type { Database } from 'lmdb';
import type { LmdbTables } from './lmdb-store.ts';
import type { QueueCatalog, StoredQueue } from './message-store.ts';
import { DEFAULT_QUEUE_PROPERTIES, type QueueProperties } from '../queue/queue-properties.ts';
import { messageKey, queueIdOf } from './store-keys.ts';

const NEXT_ID_KEY = 'nextQueueId';
const FIRST_ID = 2;
const REMOVED_PER_COMMIT = 2_000;

type Unlimited = 'defaultTimeToLiveMs' | 'autoDeleteOnIdleMs';

/** JSON has no Infinity: what is unlimited is kept as null. */
interface QueueRecord extends Omit<StoredQueue, 'properties'> {
  readonly properties: Omit<QueueProperties, Unlimited> & Record<Unlimited, number | null>;
}

const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
const orUnlimited = (value: number | null | undefined): number => value ?? Number.POSITIVE_INFINITY;

function toRecord(queue: StoredQueue): QueueRecord {
  const { properties } = queue;
  return {
    ...queue,
    properties: {
      ...properties,
      defaultTimeToLiveMs: orNull(properties.defaultTimeToLiveMs),
      autoDeleteOnIdleMs: orNull(properties.autoDeleteOnIdleMs),
    },
  };
}

function fromRecord(record: QueueRecord): StoredQueue {
  // An older emulator wrote fewer settings.
  const properties = {
    ...DEFAULT_QUEUE_PROPERTIES,
    ...record.properties,
    defaultTimeToLiveMs: orUnlimited(record.properties.defaultTimeToLiveMs),
    autoDeleteOnIdleMs: orUnlimited(record.properties.autoDeleteOnIdleMs),
  };
  return { ...record, properties };
}

async function removeRange(table: Database<Buffer, Buffer>, queueId: number): Promise<void> {
  for (;;) {
    const keys = [
      ...table.getKeys({
        start: messageKey(queueId, 0),
        end: messageKey(queueId + 1, 0),
        limit: REMOVED_PER_COMMIT,
      }),
    ];
    await Promise.all(keys.map((key) => table.remove(key)));
    if (keys.length < REMOVED_PER_COMMIT) return;
  }
}

async function removeContent(tables: LmdbTables, queueId: number): Promise<void> {
  await removeRange(tables.messages, queueId);
  await removeRange(tables.due, queueId);
  await removeRange(tables.notes, queueId);
  await tables.counters.remove(queueId);
}

/** The first queue id in the table at or behind this one. */
function findQueueId(tables: LmdbTables, queueId: number): number | undefined {
  for (const key of tables.messages.getKeys({ start: messageKey(queueId, 0), limit: 1 })) {
    return queueIdOf(key);
  }
  return undefined;
}

/** Finishes what a process that died while dropping a queue has left. */
async function removeOrphans(tables: LmdbTables, known: ReadonlySet<number>): Promise<void> {
  let queueId = findQueueId(tables, 0);
  while (queueId !== undefined) {
    if (!known.has(queueId - (queueId % 2))) await removeContent(tables, queueId);
    queueId = findQueueId(tables, queueId + 1);
  }
}

export async function createLmdbCatalog(tables: LmdbTables): Promise<QueueCatalog> {
  const queues: Database<QueueRecord, number> = tables.root.openDB('queues', { encoding: 'json' });
  const ids: Database<number, string> = tables.root.openDB('ids', { encoding: 'json' });
  await removeOrphans(tables, new Set(queues.getKeys()));
  return {
    load: async () => [...queues.getRange()].map(({ value }) => fromRecord(value)),
    async allocateId() {
      const id = ids.get(NEXT_ID_KEY) ?? FIRST_ID;
      await ids.put(NEXT_ID_KEY, id + 2);
      return id;
    },
    async save(queue) {
      await queues.put(queue.id, toRecord(queue));
    },
    async drop(id) {
      await queues.remove(id);
      await removeContent(tables, id);
      await removeContent(tables, id + 1);
    },
  };
}
