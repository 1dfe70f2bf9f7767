import {
  AppError,
  eachQueuePage,
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
} from '@tandem/core';
import type { Io } from '../io.ts';
import { UsageError } from '../usage-error.ts';
import type { CliRegion } from './cli-region.ts';
import { readSettingText } from './region-setting.ts';

const QUEUE_DEFAULT = 'customer';
/** More than this is listed as "and more": an operator repairs then, and does not read. */
const QUEUED_MAX = 100_000;

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

/** Opens the queue of the region, and closes it when the work is done. Looking has the patience of the region. */
export async function withQueue<T>(
  region: CliRegion,
  io: Pick<Io, 'openQueue'>,
  work: (queue: QueueViewer) => Promise<T>,
): Promise<T> {
  const { busPatience } = region;
  const queue = await openRegionQueue(region, io);
  try {
    return await work({
      ...queue,
      peek: (...asked) => busPatience.bound(() => queue.peek(...asked)),
    });
  } finally {
    await busPatience.bound(() => queue.close()).catch(ignoreSilence);
  }
}

/** What hangs does not say goodbye either. */
function ignoreSilence(error: unknown): void {
  if (!(error instanceof AppError)) throw error;
}

/** The first of them; for what must see every message there is `eachQueuePage`. */
export async function readLane(
  queue: QueueViewer,
  lane: QueueLane,
): Promise<readonly QueuedMessage[]> {
  const found: QueuedMessage[] = [];
  for await (const page of eachQueuePage(queue, lane)) {
    found.push(...page);
    if (found.length >= QUEUED_MAX) break;
  }
  return found;
}
