import {
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
  readChangeSets,
  setHoldsValues,
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
    one.kind === 'set'
      ? setHoldsValues(one.set, id)
      : // What cannot be read may still name it.
        new TextDecoder().decode(one.encoded).includes(id),
  );
}
