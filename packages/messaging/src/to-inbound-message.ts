import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import { assert, type InboundMessage, type OldestMessage } from '@tandem/core';

/** Anything at all may have been sent: what is not bytes becomes JSON, for the decoder to refuse. */
export function toInboundMessage(received: ServiceBusReceivedMessage): InboundMessage {
  const { messageId, subject, deliveryCount } = received;
  return {
    messageId: String(messageId ?? ''),
    subject,
    body: bytesOf(received.body),
    sequenceNumber: sequenceNumberOf(received),
    // AMQP counts the deliveries before this one.
    deliveryCount: (deliveryCount ?? 0) + 1,
  };
}

export function toOldestMessage(peeked: ServiceBusReceivedMessage): OldestMessage {
  const { enqueuedTimeUtc } = peeked;
  assert(enqueuedTimeUtc !== undefined, 'Service Bus dates every message that it has accepted');
  return { sequenceNumber: sequenceNumberOf(peeked), enqueuedAtMs: enqueuedTimeUtc.getTime() };
}

function sequenceNumberOf({ sequenceNumber }: ServiceBusReceivedMessage): bigint {
  assert(sequenceNumber !== undefined, 'Service Bus numbers every message that it has accepted');
  return BigInt(sequenceNumber.toString());
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  }
  return new TextEncoder().encode(JSON.stringify(body) ?? '');
}
