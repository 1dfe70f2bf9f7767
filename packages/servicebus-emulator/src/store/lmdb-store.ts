import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { DEFAULT_QUEUE_PROPERTIES, type QueueProperties } from '../queue/queue-properties.ts';
import {
  EMPTY_COUNTERS,
  type EmulatorStore,
  type MessageStore,
  type QueueCatalog,
  type QueueCounters,
  type ScanDueOptions,
  type ScanOptions,
  type StoredMessage,
  type StoredQueue,
  type StoreWrite,
} from './message-store.ts';
import {
  decodeMessage,
  dueKey,
  dueOf,
  encodeMessage,
  messageKey,
  noteKey,
  noteKeyEnd,
  noteNameOf,
  queueIdOf,
  sequenceNumberOf,
} from './store-keys.ts';

interface LmdbTables {
  readonly root: RootDatabase;
  readonly messages: Database<Buffer, Buffer>;
  readonly due: Database<Buffer, Buffer>;
  readonly notes: Database<Buffer, Buffer>;
  readonly counters: Database<QueueCounters, number>;
}

/** A folder that is made for messages is for nobody else. */
const OWNER_ONLY = 0o700;
/** Just above the greatest sequence number there can be. */
const SEQUENCE_NUMBER_END = Number.MAX_SAFE_INTEGER;
const NOTHING = Buffer.alloc(0);

function openTables(location: string): LmdbTables {
  // A commit is with the operating system when it resolves, so it survives kill -9. Waiting for
  // the disk as well would survive a power cut; it costs a send 0.3 to 10 ms instead of 0.05 ms.
  // Unless it is told, the library takes a folder whose name has a dot for a file.
  const root = open(location, { encoding: 'json', noSync: true, noSubdir: false });
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  return {
    root,
    messages: root.openDB('messages', binary),
    due: root.openDB('due', binary),
    notes: root.openDB('notes', binary),
    counters: root.openDB('counters', { encoding: 'json' }),
  };
}

function writeMessage(tables: LmdbTables, write: Extract<StoreWrite, { kind: 'put' | 'remove' }>) {
  const { queueId, message } = write;
  const key = messageKey(queueId, message.sequenceNumber);
  const { dueAtMs, sequenceNumber } = message;
  const due = dueAtMs === undefined ? undefined : dueKey(queueId, { dueAtMs, sequenceNumber });
  if (write.kind === 'put') {
    if (due !== undefined) void tables.due.put(due, NOTHING);
    return tables.messages.put(key, encodeMessage(message));
  }
  if (due !== undefined) void tables.due.remove(due);
  return tables.messages.remove(key);
}

function writeNote(tables: LmdbTables, write: Extract<StoreWrite, { kind: 'note' }>) {
  const key = noteKey(write.queueId, write.key);
  return write.value === undefined ? tables.notes.remove(key) : tables.notes.put(key, write.value);
}

/** All writes made in one turn of the event loop are one transaction; the last one tells. */
async function commitGroup(tables: LmdbTables, writes: readonly StoreWrite[]): Promise<void> {
  const counters = new Map<number, QueueCounters>();
  const written: Promise<boolean>[] = [];
  for (const write of writes) {
    if (write.kind === 'counters') counters.set(write.queueId, write.counters);
    else if (write.kind === 'note') written.push(writeNote(tables, write));
    else written.push(writeMessage(tables, write));
  }
  for (const [queueId, value] of counters) written.push(tables.counters.put(queueId, value));
  await written.at(-1);
}

function scan(tables: LmdbTables, options: ScanOptions): StoredMessage[] {
  const { queueId, fromSequenceNumber, messagesMax, bytesMax } = options;
  const found: StoredMessage[] = [];
  let bytes = 0;
  const range = tables.messages.getRange({
    start: messageKey(queueId, fromSequenceNumber),
    end: messageKey(queueId, SEQUENCE_NUMBER_END),
    limit: messagesMax,
  });
  for (const { key, value } of range) {
    const message = decodeMessage(sequenceNumberOf(key), value);
    found.push(message);
    bytes += message.payload.length;
    if (bytes >= bytesMax) break;
  }
  return found;
}

function scanDue(tables: LmdbTables, options: ScanDueOptions) {
  const { queueId, untilMs, messagesMax, after } = options;
  const end = { dueAtMs: Math.min(untilMs + 1, SEQUENCE_NUMBER_END), sequenceNumber: 0 };
  const keys = tables.due.getKeys({
    start: dueKey(queueId, after ?? { dueAtMs: 0, sequenceNumber: 0 }),
    exclusiveStart: after !== undefined,
    end: dueKey(queueId, end),
    limit: messagesMax,
  });
  return [...keys].map(dueOf);
}

/**
 * Keeps everything in the folder, which is made when absent. Rejects while another emulator of this machine uses it: two
 * would number messages each for itself, and give one message to two receivers.
 */
export async function openLmdbStore(location: string): Promise<EmulatorStore> {
  await makeFolder(resolve(location));
  const claim = await claimFolder(location);
  try {
    return await openClaimed(location, claim);
  } catch (error) {
    claim.close();
    throw error;
  }
}

/**
 * Makes a folder, and those above it that are not there. Node's own way to do so never ends in a file system that takes no folder and
 * says that there is none above it, as /proc and automatic mounts do.
 */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  try {
    await mkdir(folder, { mode: OWNER_ONLY });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Holds the folder until the server is closed, or this process is gone, however it goes: the system frees the name. */
async function claimFolder(location: string): Promise<Server> {
  const { dev, ino } = await stat(location, { bigint: true });
  const name = `servicebus-emulator-${dev}-${ino}`;
  const path = CLAIM_PATHS[process.platform]?.(name) ?? join(tmpdir(), `${name}.sock`);
  const claim =
    (await listenOn(path)) ?? ((await freesDeadFile(path)) ? await listenOn(path) : undefined);
  if (claim !== undefined) return claim;
  throw new Error(
    `the messages in ${location} are used by another emulator: stop that one, or choose another folder`,
  );
}

/** Where names of sockets are no files, none is left behind by a process that is killed. */
const CLAIM_PATHS: Readonly<Partial<Record<NodeJS.Platform, (name: string) => string>>> = {
  linux: (name) => `\0${name}`,
  win32: (name) => `\\\\.\\pipe\\${name}`,
};

/** Resolves to undefined where somebody else listens, or a file says so. */
async function listenOn(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).listen(path);
  try {
    await once(server, 'listening');
    return server.unref();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

/** Removes the file of a socket that nobody listens on any more; says whether it did. */
async function freesDeadFile(path: string): Promise<boolean> {
  if (CLAIM_PATHS[process.platform] !== undefined) return false;
  const socket = connect(path);
  const isAlive = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  if (!isAlive) await rm(path, { force: true });
  return !isAlive;
}

async function openClaimed(location: string, claim: Server): Promise<EmulatorStore> {
  const tables = openTables(location);
  const commits = createGroupCommit<StoreWrite>((writes) => commitGroup(tables, writes));
  const messages: MessageStore = {
    commit: (writes) => (writes.length === 0 ? Promise.resolve() : commits.add(writes)),
    async read(queueId, sequenceNumber) {
      const value = tables.messages.get(messageKey(queueId, sequenceNumber));
      return value === undefined ? undefined : decodeMessage(sequenceNumber, value);
    },
    scan: async (options) => scan(tables, options),
    scanDue: async (options) => scanDue(tables, options),
    loadCounters: async (queueId) => tables.counters.get(queueId) ?? EMPTY_COUNTERS,
    readNote: async (queueId, key) => tables.notes.get(noteKey(queueId, key)),
    async loadNotes(queueId, kind) {
      const start = noteKey(queueId, { kind, name: '' });
      const range = tables.notes.getRange({ start, end: noteKeyEnd(queueId, kind) });
      return [...range].map(({ key, value }) => ({ name: noteNameOf(key), value }));
    },
  };
  return {
    messages,
    catalog: await createLmdbCatalog(tables),
    async close() {
      await commits.idle();
      await tables.root.close();
      claim.close();
    },
  };
}

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

async function createLmdbCatalog(tables: LmdbTables): Promise<QueueCatalog> {
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

/**
 * Collects what arrives while a commit is under way and commits it together, in order. A commit
 * that fails fails all of its callers, and the next group starts afresh.
 */
interface GroupCommit<T> {
  /** Resolves when these items are committed. */
  add(items: readonly T[]): Promise<void>;
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>;
}

/** More items than this are split over several commits. */
const GROUP_ITEMS_MAX = 10_000;

interface Waiting<T> {
  readonly items: readonly T[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function takeGroup<T>(queue: Waiting<T>[]): Waiting<T>[] {
  let items = 0;
  const count = queue.findIndex((entry) => {
    items += entry.items.length;
    return items > GROUP_ITEMS_MAX;
  });
  return queue.splice(0, count === -1 ? queue.length : Math.max(count, 1));
}

function createGroupCommit<T>(commit: (items: readonly T[]) => Promise<void>): GroupCommit<T> {
  const queue: Waiting<T>[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (queue.length > 0) {
      // Everything that is asked for in this turn of the event loop shares the commit.
      await new Promise((resolve) => setImmediate(resolve));
      const group = takeGroup(queue);
      try {
        await commit(group.flatMap((entry) => entry.items));
        for (const entry of group) entry.resolve();
      } catch (error) {
        for (const entry of group) entry.reject(error);
      }
    }
    running = undefined;
  }

  return {
    add(items) {
      const done = new Promise<void>((resolve, reject) => queue.push({ items, resolve, reject }));
      running ??= run();
      return done;
    },
    idle: async () => {
      await running;
    },
  };
}
