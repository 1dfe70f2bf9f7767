import { type BusConnection, createAdministrationClient, namespaceOf } from './connection.ts';
import { CALL_TIMEOUT_MS } from './bus-link.ts';
import { translateBusError } from './translate-bus-error.ts';
import { withDeadline } from './with-deadline.ts';

interface QueueCountsOptions {
  readonly connection: BusConnection;
  readonly queue: string;
  /** Where queues are administered, if elsewhere: an emulator has a port of its own for it. */
  readonly administrationConnection?: BusConnection;
}

/**
 * How many messages wait in the queue, locked ones included, and how many lie dead-lettered. Throws
 * `BUS_FORBIDDEN` where the right to manage is missing, `BUS_ENTITY_MISSING`, `BUS_UNAVAILABLE` and
 * `BUS_THROTTLED`.
 */
export async function readQueueCounts(
  options: QueueCountsOptions,
): Promise<{ readonly waiting: number; readonly deadLettered: number }> {
  const { queue, administrationConnection = options.connection } = options;
  const namespace = namespaceOf(administrationConnection);
  try {
    const client = createAdministrationClient(administrationConnection);
    const found = await withDeadline(CALL_TIMEOUT_MS, (abortSignal) =>
      client.getQueueRuntimeProperties(queue, { abortSignal }),
    );
    return { waiting: found.activeMessageCount, deadLettered: found.deadLetterMessageCount };
  } catch (error) {
    throw translateBusError(error, { namespace, queue, action: 'count the messages' });
  }
}
