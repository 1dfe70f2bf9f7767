import { ServiceBusError } from '@azure/service-bus';
import { TerminalError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import {
  isLockLost,
  isQueueMissing,
  isStrayOfLinkLayer,
  translateBusError,
} from './translate-bus-error.ts';

const CALL = { namespace: 'tandem-west.servicebus.windows.net', queue: 'inbound', action: 'send' };

function coded(code: string): Error {
  return Object.assign(new Error('as the library says.'), { code });
}

describe('errors of Service Bus', () => {
  test.each([
    [new ServiceBusError('gone', 'MessagingEntityNotFound'), 'BUS_ENTITY_MISSING', false],
    [new ServiceBusError('no right', 'UnauthorizedAccess'), 'BUS_FORBIDDEN', false],
    [new ServiceBusError('too much', 'ServiceBusy'), 'BUS_THROTTLED', true],
    [new ServiceBusError('too big', 'MessageSizeExceeded'), 'MESSAGE_TOO_LARGE', false],
    [new ServiceBusError('slow', 'ServiceTimeout'), 'BUS_UNAVAILABLE', true],
    [new ServiceBusError('cut', 'ServiceCommunicationProblem'), 'BUS_UNAVAILABLE', true],
    [new ServiceBusError('full', 'QuotaExceeded'), 'BUS_UNAVAILABLE', true],
    [new ServiceBusError('odd', 'GeneralError'), 'BUS_UNAVAILABLE', true],
    [coded('MessagingEntityNotFoundError'), 'BUS_ENTITY_MISSING', false],
    [coded('UnauthorizedError'), 'BUS_FORBIDDEN', false],
    [coded('ServerBusyError'), 'BUS_THROTTLED', true],
    [coded('ECONNREFUSED'), 'BUS_UNAVAILABLE', true],
    [new TypeError('a fault in the library'), 'BUS_UNAVAILABLE', true],
    ['only a text', 'BUS_UNAVAILABLE', true],
  ])('%s becomes %s', (error, code, retryable) => {
    const translated = translateBusError(error, CALL);
    expect(translated).toMatchObject({ code, retryable, cause: error, details: CALL });
    expect(translated.message).toContain('Queue "inbound" of tandem-west.servicebus.windows.net');
  });

  test('who is throttled is told how long to wait', () => {
    const error = translateBusError(new ServiceBusError('too much', 'ServiceBusy'), CALL);
    expect(error.retryAfterMs).toBe(10_000);
  });

  test('an error of ours stays as it is', () => {
    const error = new TerminalError('MESSAGE_TOO_LARGE', 'Too large.');
    expect(translateBusError(error, CALL)).toBe(error);
  });

  test.each([
    new ServiceBusError('lost', 'MessageLockLost'),
    new ServiceBusError('gone', 'MessageNotFound'),
    new Error('The message has either been deleted or already settled'),
  ])('%s is a lost lock', (error) => {
    expect(isLockLost(error)).toBe(true);
  });

  test.each([new ServiceBusError('cut', 'ServiceCommunicationProblem'), new Error('x'), null])(
    '%s is no lost lock',
    (error) => {
      expect(isLockLost(error)).toBe(false);
    },
  );

  test('a missing queue is told from other trouble', () => {
    expect(isQueueMissing(new ServiceBusError('gone', 'MessagingEntityNotFound'))).toBe(true);
    expect(isQueueMissing(new ServiceBusError('no right', 'UnauthorizedAccess'))).toBe(false);
  });
});

describe('I15: a failure that nobody waits for', () => {
  const thrownAt = (frame: string): Error =>
    Object.assign(new Error('failed'), { stack: `Error: failed\n    at ${frame}\n    at later` });

  test.each([
    [
      'Timeout (/app/node_modules/.pnpm/rhea-promise@3.0.3/node_modules/rhea-promise/dist/lib/link.js:238:39)',
      true,
    ],
    ['on_detach (/app/node_modules/rhea/lib/link.js:165:9)', true],
    ['close (/app/node_modules/@azure/core-amqp/dist/commonjs/cbs.js:1:1)', true],
    ['apply (/app/packages/core/src/inbound/inbound.ts:10:3)', false],
    ['call (/app/node_modules/@azure/core-rest-pipeline/dist/index.js:1:1)', false],
  ])('thrown at %s is of the link layer: %s', (frame, isOfLinkLayer) => {
    expect(isStrayOfLinkLayer(thrownAt(frame))).toBe(isOfLinkLayer);
  });

  test('is of the link layer when it is an AMQP error, and nothing else that is no Error', () => {
    expect(isStrayOfLinkLayer({ condition: 'amqp:link:detach-forced' })).toBe(true);
    for (const other of [undefined, null, 'text', {}, { condition: 'odd' }]) {
      expect(isStrayOfLinkLayer(other)).toBe(false);
    }
  });
});
