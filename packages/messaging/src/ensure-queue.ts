import type { QueueProperties, ServiceBusAdministrationClient } from '@azure/service-bus';
import {
  type BusConnection,
  CALL_TIMEOUT_MS,
  createAdministrationClient,
  namespaceOf,
  withDeadline,
} from './bus-link.ts';
import { isQueueMissing, translateBusError } from './translate-bus-error.ts';

export interface EnsureQueueOptions {
  readonly connection: BusConnection;
  readonly queue: string;
  /** Says where queues are administered, if elsewhere: an emulator has a port of its own for it. */
  readonly administrationConnection?: BusConnection;
  /** Bounds each call, in milliseconds. */
  readonly timeoutMs?: number;
  /** Told what is unlike what it should be when the queue was there already. */
  readonly onDifference?: (differences: readonly QueueDifference[]) => void;
}

export interface QueueDifference {
  readonly property: string;
  readonly expected: string;
  readonly actual: string;
}

/**
 * What a killed replicator had in hand stays locked for a minute, and its region is behind for as
 * long; a living one renews its locks every ten seconds. 2,000 deliveries are the most that Service
 * Bus offers.
 */
const WANTED = {
  lockDuration: 'PT1M',
  maxDeliveryCount: 2_000,
  deadLetteringOnMessageExpiration: true,
  enablePartitioning: false,
  requiresSession: false,
} as const;

/** From about 1,000 years on, a time to live is as good as none. */
const NO_EXPIRY_DAYS_MIN = 365_000;

/**
 * Creates the queue unless it is there. Messages do not expire, and would go to the dead letters if
 * they did; deliveries are many, because what fails for good is dead-lettered by us.
 * A queue that is there is left as it is. Throws `BUS_FORBIDDEN` where the right to manage is
 * missing, `BUS_UNAVAILABLE` and `BUS_THROTTLED`.
 */
export async function ensureQueue(options: EnsureQueueOptions): Promise<'created' | 'found'> {
  const { queue, administrationConnection = options.connection } = options;
  const namespace = namespaceOf(administrationConnection);
  try {
    return await findOrCreate(createAdministrationClient(administrationConnection), options);
  } catch (error) {
    throw translateBusError(error, { namespace, queue, action: 'create the queue' });
  }
}

/**
 * Returns what is unlike what it should be; undefined when there is no queue. Changes nothing. Throws as
 * `ensureQueue` does.
 */
export async function inspectQueue(
  options: Omit<EnsureQueueOptions, 'onDifference'>,
): Promise<readonly QueueDifference[] | undefined> {
  const { queue, administrationConnection = options.connection, timeoutMs } = options;
  const namespace = namespaceOf(administrationConnection);
  try {
    const client = createAdministrationClient(administrationConnection);
    const found = await withDeadline(timeoutMs ?? CALL_TIMEOUT_MS, (abortSignal) =>
      findQueue(client, queue, abortSignal),
    );
    return found === undefined ? undefined : differencesOf(found);
  } catch (error) {
    throw translateBusError(error, { namespace, queue, action: 'look at the queue' });
  }
}

async function findOrCreate(
  client: ServiceBusAdministrationClient,
  options: EnsureQueueOptions,
): Promise<'created' | 'found'> {
  const { queue, timeoutMs = CALL_TIMEOUT_MS, onDifference } = options;
  const find = (): Promise<QueueProperties | undefined> =>
    withDeadline(timeoutMs, (abortSignal) => findQueue(client, queue, abortSignal));

  let found = await find();
  if (found === undefined) {
    try {
      await withDeadline(timeoutMs, (abortSignal) =>
        client.createQueue(queue, { ...WANTED, abortSignal }),
      );
      return 'created';
    } catch (error) {
      // Another process may have created it meanwhile.
      found = await find();
      if (found === undefined) throw error;
    }
  }
  const differences = differencesOf(found);
  if (differences.length > 0) onDifference?.(differences);
  return 'found';
}

async function findQueue(
  client: ServiceBusAdministrationClient,
  queue: string,
  abortSignal: AbortSignal,
): Promise<QueueProperties | undefined> {
  try {
    return await client.getQueue(queue, { abortSignal });
  } catch (error) {
    if (isQueueMissing(error)) return undefined;
    throw error;
  }
}

function differencesOf(found: QueueProperties): QueueDifference[] {
  const differences: QueueDifference[] = Object.entries(WANTED)
    .map(([property, expected]) => ({
      property,
      expected: String(expected),
      actual: String(found[property as keyof typeof WANTED]),
    }))
    .filter(({ expected, actual }) => expected !== actual);
  const { defaultMessageTimeToLive } = found;
  if (daysOf(defaultMessageTimeToLive) < NO_EXPIRY_DAYS_MIN) {
    differences.push({
      property: 'defaultMessageTimeToLive',
      expected: 'no expiry',
      actual: defaultMessageTimeToLive,
    });
  }
  return differences;
}

/** Returns the whole days of an ISO 8601 duration: `P10675199DT2H48M5.4775807S` is the service's maximum. */
function daysOf(duration: string): number {
  return Number(/^P(\d+)D/.exec(duration)?.[1] ?? 0);
}

interface QueueCountsOptions {
  readonly connection: BusConnection;
  readonly queue: string;
  /** Says where queues are administered, if elsewhere: an emulator has a port of its own for it. */
  readonly administrationConnection?: BusConnection;
}

/**
 * Counts how many messages wait in the queue, locked ones included, and how many lie dead-lettered. Throws
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
