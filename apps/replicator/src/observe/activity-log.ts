import type { AppError, Conflict, DriftReport, InboundMessage, Settlement } from '@tandem/core';
import type { Logger } from '@tandem/service-kit';

/** What an operator must know of the work that goes on: ids and names, never values. */
export interface ActivityLog {
  readonly onConflict: (conflict: Conflict) => void;
  readonly onDeadLettered: (message: InboundMessage, settlement: Settlement) => void;
  readonly onOutage: (error: AppError, attempt: number, retryInMs: number) => void;
  readonly onUnreadable: (bucket: string, rowKeys: readonly string[]) => void;
  readonly onDrift: (report: DriftReport) => void;
}

/** Message ids come from outside, and a log line has a bound too. */
const ID_LENGTH_MAX = 200;
const IDS_PER_LINE_MAX = 20;

export function createActivityLog({ logger }: { readonly logger: Logger }): ActivityLog {
  return {
    onConflict({ entityKind, entityId, stamps, fields }) {
      const names = fields.map(({ name }) => name);
      logger.info(
        { event: 'conflict-recorded', entityKind, entityId, stamps, fields: names },
        'Two changes of one entity had not seen each other; the losing values are kept.',
      );
    },
    onDeadLettered({ messageId, sequenceNumber, deliveryCount }, settlement) {
      const id = messageId.slice(0, ID_LENGTH_MAX);
      const reason = settlement.kind === 'dead-letter' ? settlement.reason : settlement.kind;
      const place = { sequenceNumber: String(sequenceNumber), deliveryCount };
      logger.error(
        { event: 'message-dead-lettered', messageId: id, reason, ...place },
        'A message can never be applied and was dead-lettered.',
      );
    },
    onOutage(error, attempt, retryInMs) {
      logger.warn(
        { event: 'apply-interrupted', attempt, retryInMs, error },
        'The batch in hand cannot be applied now; it is kept and tried again.',
      );
    },
    onUnreadable(bucket, rowKeys) {
      const some = rowKeys.slice(0, IDS_PER_LINE_MAX);
      logger.error(
        { event: 'outbox-unreadable', bucket, rowCount: rowKeys.length, rowKeys: some },
        'Outbox rows cannot be read by this build; they stay, and no watermark claims them.',
      );
    },
    onDrift(report) {
      logger.warn(
        { event: 'clock-drift', ...report },
        'A received stamp is too far ahead of the clock; it is applied but not adopted.',
      );
    },
  };
}
