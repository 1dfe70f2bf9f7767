import { type QueuedMessage, type QueueLane, type QueueViewer, TerminalError } from '@tandem/core';
import type { Io } from '../io.ts';
import { UsageError } from '../usage-error.ts';
import type { CliRegion } from './cli-region.ts';
import { readSettingText } from './region-setting.ts';

const QUEUE_DEFAULT = 'customer';
/** More than this is listed as "and more": an operator repairs then, and does not read. */
const QUEUED_MAX = 100_000;
const PAGE_MESSAGES = 500;
const PAGES_MAX = 4_000;

/** Where the region's queue is: as the inventory says, else as the region itself is set. */
async function openRegionQueue(
  region: CliRegion,
  { openQueue }: Pick<Io, 'openQueue'>,
): Promise<QueueViewer> {
  const connection =
    region.entry.serviceBus ?? (await readSettingText(region, 'ServiceBusConnection'));
  if (connection === undefined) {
    throw new UsageError(
      `Neither the inventory nor the Configuration of ${region.name} says where its queue is: name ` +
        'its serviceBus in the inventory.',
    );
  }
  const queue =
    region.entry.queue ?? (await readSettingText(region, 'Customer.Queue')) ?? QUEUE_DEFAULT;
  return openQueue({ connection, queue });
}

/** Opens the queue of the region, and closes it when the work is done. */
export async function withQueue<T>(
  region: CliRegion,
  io: Pick<Io, 'openQueue'>,
  work: (queue: QueueViewer) => Promise<T>,
): Promise<T> {
  const queue = await openRegionQueue(region, io);
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

/** The first of them; for what must see every message there is `eachPage`. */
export function readLane(queue: QueueViewer, lane: QueueLane): Promise<readonly QueuedMessage[]> {
  return queue.peek(lane, 0n, QUEUED_MAX);
}

/** Every message, a page in memory at a time. Throws `RECOVERY_REFUSED` for a queue that has too many. */
export async function* eachPage(
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
