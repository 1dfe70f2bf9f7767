import type { MessageStore, StoredMessage } from '../../store/message-store.ts';
import { type Consumers, createConsumers } from '../consumers.ts';
import { createMinHeap, type ReadyMessages } from '../ready-messages.ts';

/** The one receiver that holds a session. */
export interface SessionHolder {
  expiresAtMs: number;
  /** Called when the lock on the session has expired. */
  readonly lost: () => void;
}

/** A session of a queue: its messages in order, and who holds it. */
export interface Session {
  readonly id: string;
  readonly ready: SessionMessages;
  readonly consumers: Consumers;
  holder: SessionHolder | undefined;
}

/** Somebody who waits for the next session that is free. */
type SessionWaiter = (session: Session) => void;

/** The sessions of one queue that have messages or a holder. */
export interface Sessions {
  get(id: string): Session;
  find(id: string): Session | undefined;
  held(): Session[];
  /** The session that has been free with messages for longest. */
  nextFree(): Session | undefined;
  /** Ids of all sessions with messages, in order. */
  ids(): string[];
  /** Call it after a session's holder or messages have changed. */
  refresh(session: Session): void;
  readonly waiters: Set<SessionWaiter>;
  /** What a queue without sessions keeps in one: hands each message to its session. */
  readonly ready: ReadyMessages;
}

function createRouting(get: (id: string) => Session, sessions: () => Sessions): ReadyMessages {
  const sessionOf = (message: StoredMessage) => get(message.sessionId ?? '');
  return {
    take: () => undefined,
    hasMore: () => false,
    refill: () => Promise.resolve(),
    append(messages) {
      for (const message of messages) {
        const session = sessionOf(message);
        session.ready.append([message]);
        sessions().refresh(session);
      }
    },
    putBack(message) {
      const session = sessionOf(message);
      session.ready.putBack(message);
      sessions().refresh(session);
    },
  };
}

function createSessions(queueId: number, store: MessageStore): Sessions {
  const all = new Map<string, Session>();
  const free = new Set<Session>();
  const holders = new Set<Session>();
  const waiters = new Set<SessionWaiter>();

  function get(id: string): Session {
    const found = all.get(id);
    if (found !== undefined) return found;
    const ready = createSessionMessages(queueId, store);
    const session = { id, ready, consumers: createConsumers(), holder: undefined };
    all.set(id, session);
    return session;
  }
  function refresh(session: Session): void {
    const isFree = session.holder === undefined;
    if (isFree) holders.delete(session);
    else holders.add(session);
    if (isFree && !session.ready.isEmpty()) free.add(session);
    else free.delete(session);
    if (isFree && session.ready.isEmpty()) all.delete(session.id);
    const [waiter] = waiters;
    if (!free.has(session) || waiter === undefined) return;
    waiters.delete(waiter);
    waiter(session);
  }
  const sessions: Sessions = {
    get,
    find: (id) => all.get(id),
    held: () => [...holders],
    nextFree: () => free.values().next().value,
    ids: () => [...all.values()].filter((s) => !s.ready.isEmpty() || s.holder).map((s) => s.id),
    refresh,
    waiters,
    ready: createRouting(get, () => sessions),
  };
  return sessions;
}

const LOAD_PAGE_MAX = 1_000;
const LOAD_BYTES_MAX = 16 * 1024 * 1024;

/** Finds the sessions of the messages that an earlier process has stored. */
export async function openSessions(queueId: number, store: MessageStore): Promise<Sessions> {
  const sessions = createSessions(queueId, store);
  let fromSequenceNumber = 1;
  for (;;) {
    const page = await store.scan({
      queueId,
      fromSequenceNumber,
      messagesMax: LOAD_PAGE_MAX,
      bytesMax: LOAD_BYTES_MAX,
    });
    const last = page.at(-1);
    if (last === undefined) return sessions;
    sessions.ready.append(page);
    fromSequenceNumber = last.sequenceNumber + 1;
  }
}

const READ_AHEAD_MAX = 50;

/** The messages of one session that can be delivered now, in order. */
interface SessionMessages extends ReadyMessages {
  /** False when take and refill would find nothing; messages that expired meanwhile still count. */
  isEmpty(): boolean;
}

/** Keeps the numbers of a session's messages, and in memory only those that came back or are next. */
function createSessionMessages(queueId: number, store: MessageStore): SessionMessages {
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
