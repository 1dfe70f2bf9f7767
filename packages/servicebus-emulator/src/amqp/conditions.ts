import { randomUUID } from 'node:crypto';
import type { AmqpCondition } from './rhea-internals.ts';

/** The refusals of the service, in its words: SDKs read meaning from some of the texts. */

function tracking(): string {
  return `TrackingId:${randomUUID()}, SystemTracker:emulator, Timestamp:${new Date().toISOString()}`;
}

export function entityNotFound(path: string): AmqpCondition {
  return {
    condition: 'amqp:not-found',
    description: `The messaging entity 'sb://emulator/${path}' could not be found. ${tracking()}`,
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

export function messageTooLarge(sizeBytes: number, sizeBytesMax: number): AmqpCondition {
  return {
    condition: 'amqp:link:message-size-exceeded',
    description:
      `The received message (size:${sizeBytes} bytes) exceeds the limit (${sizeBytesMax} bytes) ` +
      `currently allowed on the link. ${tracking()}`,
  };
}

export function quotaExceeded(name: string, sizeBytesMax: number): AmqpCondition {
  return {
    condition: 'amqp:resource-limit-exceeded',
    description:
      `The maximum entity size has been reached or exceeded for Queue: '${name}'. Size of entity ` +
      `in bytes:${sizeBytesMax}. Receive messages or raise MaxSizeInMegabytes. ${tracking()}`,
  };
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

export function internalError(): AmqpCondition {
  return {
    condition: 'amqp:internal-error',
    description: `The emulator failed to carry out the operation; its log tells why. ${tracking()}`,
  };
}
