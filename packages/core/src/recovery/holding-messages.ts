import { TerminalError } from '../errors.ts';
import type { QueuedMessage, QueueLane, QueueViewer } from '../ports/queue-viewer.ts';
import { inflateChangeSet } from '../replication/deflate-change-set.ts';
import { conflictHoldsValues } from '../replication/conflict.ts';
import { decodeConflictMessage } from '../replication/encode-conflict.ts';
import { readChangeSets } from '../arrival/read-change-sets.ts';
import { setHoldsValues } from './erase-entity.ts';

const PAGE_MESSAGES = 500;
const PAGES_MAX = 4_000;

/** Every message, a page in memory at a time. Throws `RECOVERY_REFUSED` for a queue that has too many. */
export async function* eachQueuePage(
  queue: QueueViewer,
  lane: QueueLane,
): AsyncGenerator<readonly QueuedMessage[]> {
  let from = 0n;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const messages = await queue.peek(lane, from, PAGE_MESSAGES);
    const last = messages.at(-1);
    if (last === undefined) return;
    yield messages;
    from = last.sequenceNumber + 1n;
  }
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `More than ${PAGES_MAX * PAGE_MESSAGES} messages lie in a queue: wait until some are applied.`,
  );
}

/** The numbers of the messages that hold values of the entity. */
export async function findHolding(
  queue: QueueViewer,
  lane: QueueLane,
  id: string,
): Promise<bigint[]> {
  const found: bigint[] = [];
  for await (const page of eachQueuePage(queue, lane)) {
    const holding = page.filter((message) => messageHolds(message, id));
    found.push(...holding.map(({ sequenceNumber }) => sequenceNumber));
  }
  return found;
}

function messageHolds({ subject, body }: QueuedMessage, id: string): boolean {
  if (subject === 'watermark') return conflictsHold(body, id);
  return readChangeSets(body).some((one) =>
    one.kind === 'set' ? setHoldsValues(one.set, id) : mayName(one.encoded, id),
  );
}

/** A watermark may tell of conflicts; one that cannot be read may tell of this one. */
function conflictsHold(body: Uint8Array, id: string): boolean {
  try {
    return decodeConflictMessage(body)?.some((one) => conflictHoldsValues(one, id)) ?? false;
  } catch (error) {
    if (error instanceof TerminalError) return true;
    throw error;
  }
}

/** What cannot be read may still name it; of what lies deflated in it nobody can tell. */
function mayName(encoded: Uint8Array, id: string): boolean {
  try {
    const text = new TextDecoder().decode(inflateChangeSet(encoded));
    return text.includes(id) || text.includes('"deflated":"');
  } catch (error) {
    if (error instanceof TerminalError) return true;
    throw error;
  }
}
