import { AppError } from '@tandem/core';
import {
  createServiceBusPublisher,
  createServiceBusReceiver,
  ensureQueue,
} from '@tandem/messaging';
import type { Logger } from '@tandem/service-kit';
import type { Bus, BusQueue } from './bus.ts';

export interface ServiceBusOptions {
  readonly logger: Logger;
  /** Where queues are administered, if elsewhere: an emulator has a port of its own for it. */
  readonly administrationConnection: string | undefined;
}

export function createServiceBus({ logger, administrationConnection }: ServiceBusOptions): Bus {
  return {
    createPublisher: ({ region, connection, queue }) =>
      createServiceBusPublisher({ peer: region, connection, queue }),
    createReceiver: (own) =>
      createServiceBusReceiver({
        ...own,
        onSilentReceiver: () =>
          logger.warn(
            { event: 'receiver-replaced', queue: own.queue },
            'The queue had messages and the receiver was silent; it was replaced.',
          ),
      }),
    ensureQueue: (own) => ensureOwnQueue(own, { logger, administrationConnection }),
  };
}

async function ensureOwnQueue(
  { connection, queue }: BusQueue,
  { logger, administrationConnection }: ServiceBusOptions,
): Promise<void> {
  try {
    const outcome = await ensureQueue({
      connection,
      queue,
      ...(administrationConnection === undefined ? {} : { administrationConnection }),
      onDifference: (differences) =>
        logger.warn(
          { event: 'queue-differs', queue, differences },
          'The queue of this region is not as it should be; it is used as it is.',
        ),
    });
    if (outcome === 'created') {
      logger.info({ event: 'queue-created', queue }, 'The queue of this region was created.');
    }
  } catch (error) {
    // Whoever may listen need not be allowed to manage: then the queue is someone else's to create.
    if (!(error instanceof AppError) || error.code !== 'BUS_FORBIDDEN') throw error;
    logger.warn(
      { event: 'queue-not-checked', queue, error },
      'This identity may not manage queues, so the queue was not looked at.',
    );
  }
}
