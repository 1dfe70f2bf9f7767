import { types } from '../../message/amqp-types.ts';
import type { Queue } from '../../queue/queue.ts';
import type { AmqpResponse } from '../request-node.ts';
import type { AmqpCondition } from '../rhea-internals.ts';

// Status codes are of type int and conditions symbols: clients in C, Go, .NET and Java take nothing else.

/** One operation of a queue's $management node. Throws InvalidRequest for a malformed body. */
export type ManagementAction = (
  queue: Queue,
  body: Readonly<Record<string, unknown>>,
) => Promise<AmqpResponse>;

/** The request's body is not what the operation needs. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
}

export function succeeded(body?: Readonly<Record<string, unknown>>): AmqpResponse {
  return { properties: { statusCode: types.wrap_int(200), statusDescription: 'OK' }, body };
}

export function nothingFound(): AmqpResponse {
  return { properties: { statusCode: types.wrap_int(204), statusDescription: 'No messages' } };
}

export function refused(statusCode: number, refusal: AmqpCondition): AmqpResponse {
  return {
    properties: {
      statusCode: types.wrap_int(statusCode),
      statusDescription: refusal.description,
      errorCondition: types.wrap_symbol(refusal.condition),
    },
  };
}
