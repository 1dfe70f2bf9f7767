import {
  createRelay,
  createRelayQueue,
  finishLate,
  type LateFinish,
  type RelayQueue,
} from '@tandem/core';
import { traceArchive } from '@tandem/telemetry';
import type { Cradle } from './cradle.ts';

export function createLateFinish({ tables, tracing, clock, logger }: Cradle): LateFinish {
  return finishLate({
    archive: traceArchive(tables.archive, tracing.tracer),
    outboxes: tables.outboxes,
    clock,
    onFailure: (error) =>
      logger.warn({ event: 'archive-failed', error }, 'Changes were not archived: the sweep will.'),
  });
}

export function createRelayQueueOf(cradle: Cradle): RelayQueue {
  const { links, lateFinish, acknowledgements, clock, logger } = cradle;
  const { archive, outboxes } = lateFinish;
  const queue = createRelayQueue({
    relay: createRelay({ archive, outboxes, links }),
    clock,
    onSent: (entry, peer, isAccepted) => acknowledgements.sent(entry, peer, isAccepted),
    onFailure: (error) =>
      logger.warn({ event: 'relay-failed', error }, 'Changes were not relayed: the sweep will.'),
  });
  return {
    get length() {
      return queue.length;
    },
    offer: (entry) => queue.offer(entry),
    async drain(deadline) {
      await queue.drain(deadline);
      await lateFinish.drain(deadline);
    },
  };
}
