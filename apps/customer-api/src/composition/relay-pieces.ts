import {
  createRelay,
  createRelayQueue,
  finishLate,
  type LateFinish,
  type Relay,
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

export function createRelayOf({ lateFinish, links, acknowledgements }: Cradle): Relay {
  const { archive, outboxes } = lateFinish;
  return acknowledgements.watch(createRelay({ archive, outboxes, links }));
}

export function createRelayQueueOf({ relay, lateFinish, clock, logger }: Cradle): RelayQueue {
  const queue = createRelayQueue({
    relay,
    clock,
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
