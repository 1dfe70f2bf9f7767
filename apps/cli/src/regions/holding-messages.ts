import {
  inflateChangeSet,
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
  readChangeSets,
  setHoldsValues,
  TerminalError,
} from '@tandem/core';
import { eachPage } from './open-queue.ts';

/** The numbers of the messages that hold values of the entity. */
export async function findHolding(
  queue: QueueViewer,
  lane: QueueLane,
  id: string,
): Promise<bigint[]> {
  const found: bigint[] = [];
  for await (const page of eachPage(queue, lane)) {
    const holding = page.filter((message) => messageHolds(message, id));
    found.push(...holding.map(({ sequenceNumber }) => sequenceNumber));
  }
  return found;
}

function messageHolds({ subject, body }: QueuedMessage, id: string): boolean {
  if (subject === 'watermark') return false;
  return readChangeSets(body).some((one) =>
    one.kind === 'set' ? setHoldsValues(one.set, id) : mayName(one.encoded, id),
  );
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
