import { AppError, TerminalError, TransientError } from '@tandem/core';

/** Says what was being done, for the message of the error. Holds no secrets. */
export interface BusCall {
  readonly namespace: string;
  readonly queue: string;
  /** Reads as in "while it was to ...": `send`, `receive`, `settle a message`. */
  readonly action: string;
}

/** Service Bus asks those whom it throttles to wait about this long. */
const THROTTLED_RETRY_AFTER_MS = 10_000;

type Meaning = 'lock-lost' | 'missing' | 'forbidden' | 'throttled' | 'too-large' | 'unavailable';

/**
 * Knows the codes of ServiceBusError, those of the AMQP errors that some calls let through as they are, and
 * those of the administration client. This file is the only one that knows them.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  MessageLockLost: 'lock-lost',
  MessageLockLostError: 'lock-lost',
  MessageNotFound: 'lock-lost',
  MessageNotFoundError: 'lock-lost',
  MessagingEntityNotFound: 'missing',
  MessagingEntityNotFoundError: 'missing',
  MessageEntityNotFoundError: 'missing',
  UnauthorizedAccess: 'forbidden',
  UnauthorizedError: 'forbidden',
  UnauthorizedRequestError: 'forbidden',
  ServiceBusy: 'throttled',
  ServerBusyError: 'throttled',
  MessageSizeExceeded: 'too-large',
  MessageTooLargeError: 'too-large',
};

/** Is what the library says, as a plain Error, when the broker has settled the delivery itself. */
const ALREADY_SETTLED = 'has either been deleted or already settled';

/** Says whether the lock of the message has ended, or the message is gone: an outcome, not an error. */
export function isLockLost(error: unknown): boolean {
  if (meaningOf(error) === 'lock-lost') return true;
  return error instanceof Error && error.message.includes(ALREADY_SETTLED);
}

export function isQueueMissing(error: unknown): boolean {
  return meaningOf(error) === 'missing';
}

/** Knows a frame of the libraries that speak AMQP; what they threw themselves has such a frame on top. */
const LINK_LAYER_FRAME =
  /node_modules[\\/](?:rhea|rhea-promise|@azure[\\/](?:service-bus|core-amqp))[\\/]/;
const AMQP_CONDITION = /^(?:amqp|com\.microsoft):/;

/**
 * Says whether the AMQP libraries threw it themselves. Where such a failure reaches nobody, it is of a link
 * that nobody uses any more: who does is answered by a deadline of ours, whatever becomes of the link.
 */
export function isStrayOfLinkLayer(failure: unknown): boolean {
  if (failure instanceof Error) {
    const top = failure.stack?.split('\n').find((line) => line.startsWith('    at ')) ?? '';
    return LINK_LAYER_FRAME.test(top);
  }
  const { condition } = (failure ?? {}) as { readonly condition?: unknown };
  return typeof condition === 'string' && AMQP_CONDITION.test(condition);
}

/** Whatever the library threw, as an error of ours; the original is its cause. */
export function translateBusError(error: unknown, call: BusCall): AppError {
  if (error instanceof AppError) return error;
  const options = { cause: error, details: { ...call } };
  const queue = `Queue "${call.queue}" of ${call.namespace}`;
  switch (meaningOf(error)) {
    case 'missing':
      return new TerminalError(
        'BUS_ENTITY_MISSING',
        `${queue} does not exist. Create it, or correct the queue's name in the configuration.`,
        options,
      );
    case 'forbidden':
      return new TerminalError(
        'BUS_FORBIDDEN',
        `${queue} refuses to let this process ${call.action}. Grant its identity or its key the ` +
          'right to send and to listen.',
        options,
      );
    case 'throttled':
      return new TransientError(
        'BUS_THROTTLED',
        `${queue} is too busy to let this process ${call.action}.`,
        { ...options, retryAfterMs: THROTTLED_RETRY_AFTER_MS },
      );
    case 'too-large':
      return new TerminalError(
        'MESSAGE_TOO_LARGE',
        `${queue} refused messages as too large. Send less in one message.`,
        options,
      );
    case 'lock-lost':
    case 'unavailable':
    default:
      return new TransientError(
        'BUS_UNAVAILABLE',
        `${queue} could not be reached to ${call.action}: ${messageOf(error)}.`,
        options,
      );
  }
}

function meaningOf(error: unknown): Meaning {
  if (!(error instanceof Error)) return 'unavailable';
  const { code }: Error & { readonly code?: unknown } = error;
  return (typeof code === 'string' ? MEANINGS[code] : undefined) ?? 'unavailable';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}
