import type { StoredMessage } from '../../store/message-store.ts';
import {
  setApplicationProperties,
  type PropertyChanges,
} from '../../message/set-application-properties.ts';
import type { QueueChange } from '../queue-change.ts';
import type { QueueCore } from '../queue-core.ts';

export interface DeadLetterCause {
  readonly reason: string | undefined;
  readonly description: string | undefined;
  readonly properties?: PropertyChanges;
}

/** The reasons that the service itself gives. */
export const DELIVERY_COUNT_EXCEEDED = (deliveryCount: number): DeadLetterCause => ({
  reason: 'MaxDeliveryCountExceeded',
  description: `Message could not be consumed after ${deliveryCount} delivery attempts.`,
});

export const TIME_TO_LIVE_EXPIRED: DeadLetterCause = {
  reason: 'TTLExpiredException',
  description: 'The message expired and was dead lettered.',
};

/** Moves the message to the dead-letter sub-queue, where nothing expires. */
export function moveToDeadLetters(
  change: QueueChange,
  core: QueueCore,
  { message, cause }: { message: StoredMessage; cause: DeadLetterCause },
): void {
  if (core.deadLetters === undefined) throw new Error('A dead letter cannot be dead-lettered');
  const payload = setApplicationProperties(message.payload, {
    ...cause.properties,
    DeadLetterReason: cause.reason,
    DeadLetterErrorDescription: cause.description,
  });
  change.remove(core, message);
  const { sequenceNumber: _, ...rest } = message;
  change.append(core.deadLetters, {
    ...rest,
    payload,
    state: 'active',
    dueAtMs: undefined,
  });
}
