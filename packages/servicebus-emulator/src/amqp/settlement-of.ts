import { assertNever } from '../assert-never.ts';
import type { Settlement } from '../queue/actions/settle.ts';
import type { PropertyChanges } from '../message/set-application-properties.ts';

/** The outcome that a client gave a delivery, as rhea decodes it. */
export interface RemoteOutcome {
  readonly undeliverable_here?: boolean | null;
  readonly message_annotations?: PropertyChanges | null;
  readonly error?: {
    readonly condition?: string | null;
    readonly description?: string | null;
    readonly info?: Readonly<Record<string, unknown>> | null;
  } | null;
}

export type OutcomeName = 'accepted' | 'rejected' | 'released' | 'modified';

const DEAD_LETTER_CONDITION = 'com.microsoft:dead-letter';

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function deadLetterOf(error: RemoteOutcome['error']): Settlement {
  const { DeadLetterReason, DeadLetterErrorDescription, ...properties } = error?.info ?? {};
  const own = error?.condition === DEAD_LETTER_CONDITION ? undefined : error;
  return {
    kind: 'dead-letter',
    reason: asText(DeadLetterReason) ?? asText(own?.condition),
    description: asText(DeadLetterErrorDescription) ?? asText(own?.description),
    properties,
  };
}

/** What an AMQP outcome means to a queue. */
export function settlementOf(name: OutcomeName, outcome: RemoteOutcome): Settlement {
  switch (name) {
    case 'accepted':
      return { kind: 'complete' };
    case 'rejected':
      return deadLetterOf(outcome.error);
    case 'released':
      return { kind: 'abandon' };
    case 'modified': {
      const kind = outcome.undeliverable_here === true ? 'defer' : 'abandon';
      const properties = outcome.message_annotations ?? undefined;
      return properties === undefined ? { kind } : { kind, properties };
    }
    default:
      return assertNever(name);
  }
}
