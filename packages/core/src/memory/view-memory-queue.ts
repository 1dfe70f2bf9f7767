import type { MessageSubject } from '../ports/change-publisher.ts';
import {
  type QueuedMessage,
  type QueueViewer,
  SET_ASIDE_DESCRIPTION,
  SET_ASIDE_REASON,
} from '../ports/queue-viewer.ts';
import type { MemoryQueue } from './memory-queue.ts';

/** An operator's view of a queue in memory. */
export function viewMemoryQueue(queue: MemoryQueue, onSent: () => void): QueueViewer {
  const all = (lane: 'messages' | 'dead-letters'): readonly QueuedMessage[] =>
    lane === 'messages'
      ? queue.waiting().map((one) => ({ ...one, reason: undefined, description: undefined }))
      : queue.deadLetters().map((one) => ({ ...one, enqueuedAtMs: 0 }));
  return {
    async peek(lane, from, countMax) {
      return all(lane)
        .filter(({ sequenceNumber }) => sequenceNumber >= from)
        .slice(0, countMax);
    },
    async settle(sequenceNumbers, verdict) {
      const taken = queue.takeDeadLetters((one) => sequenceNumbers.has(one.sequenceNumber));
      if (verdict === 'resubmit') {
        queue.accept(
          taken.map(({ messageId, subject, body }) => ({
            messageId,
            subject: (subject ?? '') as MessageSubject,
            body,
          })),
        );
        onSent();
      }
      return new Set(taken.map(({ sequenceNumber }) => sequenceNumber));
    },
    async setAside(sequenceNumbers) {
      const isWanted = (number: bigint): boolean => sequenceNumbers.has(number);
      return queue.deadLetterFree(isWanted, SET_ASIDE_REASON, SET_ASIDE_DESCRIPTION);
    },
    close: () => Promise.resolve(),
  };
}
