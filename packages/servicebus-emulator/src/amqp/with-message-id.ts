import { randomUUID } from 'node:crypto';
import { decodeValue, encodeValues, types } from '../message/amqp-types.ts';
import type { IncomingMessage } from '../message/read-message.ts';
import { findSections, SECTION } from '../message/sections.ts';

const createMessageId = (): string => randomUUID().replaceAll('-', '');

/** The message with an id of its own or a new one. */
export function withMessageId(message: IncomingMessage): IncomingMessage {
  return { ...message, payload: ensureMessageId(message.payload, createMessageId) };
}

const NULL = 0x40;
const LIST_EMPTY = 0x45;
const LIST_SHORT = 0xc0;
const SMALL_ULONG = 0x53;

/** Where the first item of the list is whose constructor is at the offset; undefined if none. */
function firstItemOf(payload: Buffer, valueStart: number): number | undefined {
  const constructor = payload.readUInt8(valueStart);
  if (constructor === LIST_EMPTY) return undefined;
  const [sizeBytes, count] =
    constructor === LIST_SHORT
      ? [1, payload.readUInt8(valueStart + 2)]
      : [4, payload.readUInt32BE(valueStart + 5)];
  return count === 0 ? undefined : valueStart + 1 + 2 * sizeBytes;
}

/**
 * Gives a bare message an id unless it has one, as the service does: its SDK for JavaScript cannot
 * settle a message without.
 */
export function ensureMessageId(payload: Buffer, createId: () => string): Buffer {
  const [first] = findSections(payload);
  const properties = first?.code === SECTION.properties ? first : undefined;
  const item = properties === undefined ? undefined : firstItemOf(payload, properties.valueStart);
  if (item !== undefined && payload.readUInt8(item) !== NULL) return payload;
  const list =
    properties === undefined || item === undefined
      ? types.wrap_list([null])
      : decodeValue(payload.subarray(properties.valueStart, properties.end));
  (list.value as unknown[])[0] = types.wrap_string(createId());
  return Buffer.concat([
    Buffer.from([0x00, SMALL_ULONG, SECTION.properties]),
    encodeValues([list]),
    payload.subarray(properties?.end ?? 0),
  ]);
}
