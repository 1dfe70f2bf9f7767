import { reorderLockToken } from '../../message/sections.ts';
import { InvalidRequest } from './management-response.ts';

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
