import { randomUUID } from 'node:crypto';
import { assertNever } from '../assert-never.ts';
import type { SendOutcome } from '../queue/actions/send.ts';
import type { AmqpCondition } from './rhea-internals.ts';

/** The refusals of the service, in its words: SDKs read meaning from some of the texts. */

function tracking(): string {
  return `TrackingId:${randomUUID()}, SystemTracker:emulator, Timestamp:${new Date().toISOString()}`;
}

const MS_PER_DAY = 86_400_000;

/** The host is the one that the client has asked for. */
export function entityNotFound(host: string, path: string): AmqpCondition {
  return {
    condition: 'amqp:not-found',
    description: `The messaging entity 'sb://${host}/${path}' could not be found. ${tracking()}`,
  };
}

export function entityDisabled(name: string): AmqpCondition {
  return {
    condition: 'com.microsoft:entity-disabled',
    description:
      `Messaging entity '${name}' is currently disabled. For more information please see ` +
      `https://aka.ms/ServiceBusExceptions . ${tracking()}`,
  };
}

export function sendDisabled(name: string): AmqpCondition {
  return {
    condition: 'com.microsoft:entity-disabled',
    description: `Messaging entity '${name}' is currently disabled for Send operations. ${tracking()}`,
  };
}

export function lockLost(): AmqpCondition {
  return {
    condition: 'com.microsoft:message-lock-lost',
    description:
      'The lock supplied is invalid. Either the lock expired, or the message has already been ' +
      'removed from the queue, or was received by a different receiver instance.',
  };
}

export function sessionLockLost(): AmqpCondition {
  return {
    condition: 'com.microsoft:session-lock-lost',
    description:
      'The session lock has expired or was given up. Accept the session again to go on with it. ' +
      tracking(),
  };
}

export function sessionCannotBeLocked(sessionId: string): AmqpCondition {
  return {
    condition: 'com.microsoft:session-cannot-be-locked',
    description:
      `The requested session '${sessionId}' cannot be accepted. It may be locked by another ` +
      `receiver. ${tracking()}`,
  };
}

/** Hours, minutes and seconds, and parts of a second where there are some. */
function toTimeSpan(ms: number): string {
  const text = new Date(Math.min(ms, MS_PER_DAY - 1)).toISOString().slice(11, 23);
  return text.endsWith('.000') ? text.slice(0, 8) : `${text}0000`;
}

export function sessionTimeout(timeoutMs: number): AmqpCondition {
  return {
    condition: 'com.microsoft:timeout',
    description:
      `The operation did not complete within the allotted timeout of ` +
      `${toTimeSpan(timeoutMs)}. ${tracking()}`,
  };
}

export function sessionRequired(): AmqpCondition {
  return notAllowed(
    'It is not possible for an entity that requires sessions to create a non-sessionful message ' +
      `receiver. ${tracking()}`,
  );
}

export function sessionNotSupported(): AmqpCondition {
  return notAllowed(
    'A sessionful message receiver cannot be created on an entity that does not require sessions. ' +
      `Ensure RequiresSession is set to true when creating a Queue. ${tracking()}`,
  );
}

/** Why a queue refused a send. */
export function sendRefusal(
  queueName: string,
  outcome: Exclude<SendOutcome, { kind: 'accepted' }>,
): AmqpCondition {
  switch (outcome.kind) {
    case 'quota-exceeded':
      return quotaExceeded(queueName, outcome.sizeBytesMax);
    case 'session-missing':
      return notAllowed(
        'The SessionId was not set on a message, and it cannot be sent to the entity. Entities ' +
          'that have session support enabled can only receive messages that have the SessionId ' +
          `set to a valid value. ${tracking()}`,
      );
    case 'session-id-too-long':
      return notAllowed(`The SessionId of a message exceeds 128 characters. ${tracking()}`);
    default:
      return assertNever(outcome);
  }
}

export function messageTooLarge(sizeBytes: number, sizeBytesMax: number): AmqpCondition {
  return {
    condition: 'amqp:link:message-size-exceeded',
    description:
      `The received message (size:${sizeBytes} bytes) exceeds the limit (${sizeBytesMax} bytes) ` +
      `currently allowed on the link. ${tracking()}`,
  };
}

function quotaExceeded(name: string, sizeBytesMax: number): AmqpCondition {
  return {
    condition: 'amqp:resource-limit-exceeded',
    description:
      `The maximum entity size has been reached or exceeded for Queue: '${name}'. Size of entity ` +
      `in bytes:${sizeBytesMax}. Receive messages or raise MaxSizeInMegabytes. ${tracking()}`,
  };
}

export function emptyBatch(linkName: string): AmqpCondition {
  return notAllowed(
    `The link '${linkName}' is force detached by the broker because publisher received a batch ` +
      `message with no data in it. Detach origin: Publisher. ${tracking()}`,
  );
}

export function undecodable(reason: string): AmqpCondition {
  return { condition: 'amqp:decode-error', description: reason };
}

export function unauthorized(description: string): AmqpCondition {
  return { condition: 'amqp:unauthorized-access', description };
}

export function notAllowed(description: string): AmqpCondition {
  return { condition: 'amqp:not-allowed', description };
}

export function notImplemented(description: string): AmqpCondition {
  return { condition: 'amqp:not-implemented', description };
}

export function messageNotFound(sequenceNumber: number): AmqpCondition {
  return {
    condition: 'com.microsoft:message-not-found',
    description:
      'Failed to lock one or more specified messages. The message does not exist. ' +
      `Sequence number: ${sequenceNumber}. ${tracking()}`,
  };
}

/** A fault that a test has put in. */
export function askedFor(condition: string): AmqpCondition {
  return { condition, description: 'A fault was asked for.' };
}

/** A link that is taken from its client, which may open it again. */
export function detachForced(): AmqpCondition {
  return {
    condition: 'amqp:link:detach-forced',
    description: `The link was detached by the broker. ${tracking()}`,
  };
}

export function internalError(): AmqpCondition {
  return {
    condition: 'amqp:internal-error',
    description: `The emulator failed to carry out the operation; its log tells why. ${tracking()}`,
  };
}
