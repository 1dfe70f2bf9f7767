import { reorderLockToken } from '../../message/sections.ts';
import type { Queue } from '../../queue/queue.ts';
import type { AmqpResponse } from '../request-node.ts';
import { type AmqpCondition, types } from '../rhea-internals.ts';

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

/** Reads fields of a request's body. Each function throws InvalidRequest naming the field. */
type Body = Readonly<Record<string, unknown>>;

const LONG_BYTES = 8;
const UUID_BYTES = 16;

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  // rhea leaves a long as bytes when it is beyond what a number can hold.
  if (Buffer.isBuffer(value) && value.length === LONG_BYTES) return Number(value.readBigInt64BE());
  return undefined;
}

export function readNumber(body: Body, name: string): number {
  const value = toNumber(body[name]);
  if (value === undefined) throw new InvalidRequest(`'${name}' must be a number`);
  return value;
}

function readList(body: Body, name: string): readonly unknown[] {
  const value = body[name];
  if (!Array.isArray(value) || value.length === 0) {
    throw new InvalidRequest(`'${name}' must be an array with at least one element`);
  }
  return value;
}

export function readNumbers(body: Body, name: string): number[] {
  return readList(body, name).map((entry) => {
    const value = toNumber(entry);
    if (value === undefined) throw new InvalidRequest(`'${name}' must hold numbers`);
    return value;
  });
}

export function readText(body: Body, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' ? value : undefined;
}

export function readMap(body: Body, name: string): Body | undefined {
  const value = body[name];
  return typeof value === 'object' && value !== null ? (value as Body) : undefined;
}

export function readLockTokens(body: Body): Buffer[] {
  return readList(body, 'lock-tokens').map((entry) => {
    if (!Buffer.isBuffer(entry) || entry.length !== UUID_BYTES) {
      throw new InvalidRequest("'lock-tokens' must hold UUIDs");
    }
    return reorderLockToken(entry);
  });
}
