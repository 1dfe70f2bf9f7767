import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import Long from 'long';
import { describe, expect, test } from 'vitest';
import { toInboundMessage } from './service-bus-receiver.ts';

function received(parts: Partial<ServiceBusReceivedMessage>): ServiceBusReceivedMessage {
  return {
    body: Buffer.from('{}'),
    state: 'active',
    sequenceNumber: Long.fromString('9223372036854775807'),
    _rawAmqpMessage: { body: undefined },
    ...parts,
  };
}

describe('a message of Service Bus', () => {
  test('keeps a sequence number that no number of JavaScript can hold', () => {
    expect(toInboundMessage(received({})).sequenceNumber).toBe(9_223_372_036_854_775_807n);
  });

  test.each([
    [undefined, 1],
    [0, 1],
    [4, 5],
  ])('with %s deliveries before counts %d', (deliveryCount, expected) => {
    const parts = deliveryCount === undefined ? {} : { deliveryCount };
    expect(toInboundMessage(received(parts)).deliveryCount).toBe(expected);
  });

  test.each([
    [undefined, ''],
    [17, '17'],
    ['one', 'one'],
  ])('with the id %s is named "%s"', (messageId, expected) => {
    const parts = messageId === undefined ? {} : { messageId };
    expect(toInboundMessage(received(parts)).messageId).toBe(expected);
  });

  test.each([
    [{ a: 1 }, '{"a":1}'],
    ['text', '"text"'],
    [null, 'null'],
    [undefined, ''],
  ])('whose body %j is no bytes is handed on as JSON', (body, expected) => {
    const message = toInboundMessage(received({ body }));
    expect(new TextDecoder().decode(message.body)).toBe(expected);
  });
});
