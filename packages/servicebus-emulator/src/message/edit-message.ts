import { randomUUID } from 'node:crypto';
import type { Typed } from 'rhea';
import { decodeValue, encodeValues, mapItems, types } from '../amqp/rhea-internals.ts';
import type { IncomingMessage } from './message-codec.ts';
import { findSections, SECTION } from './sections.ts';

/** Values by name, as a client gave them; encoded the way rhea encodes JavaScript values. */
export type PropertyChanges = Readonly<Record<string, unknown>>;

const SMALL_ULONG = 0x53;

function mergeItems(items: readonly Typed[], changes: PropertyChanges): Typed[] {
  const merged = new Map<string, [Typed, Typed]>();
  for (let index = 0; index + 1 < items.length; index += 2) {
    const [key, value] = [items[index], items[index + 1]];
    if (key !== undefined && value !== undefined) merged.set(String(key.value), [key, value]);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined) merged.set(name, [types.wrap_string(name), types.wrap(value)]);
  }
  return [...merged.values()].flat();
}

function encodeSection(items: Typed[]): Buffer {
  const map = types.wrap_map({});
  map.value = items;
  const descriptor = Buffer.from([0x00, SMALL_ULONG, SECTION.applicationProperties]);
  return Buffer.concat([descriptor, encodeValues([map])]);
}

/**
 * Sets application properties of a bare message, keeping the types of those it does not change.
 * Undefined values change nothing.
 */
export function setApplicationProperties(payload: Buffer, changes: PropertyChanges): Buffer {
  if (Object.values(changes).every((value) => value === undefined)) return payload;
  const sections = findSections(payload);
  const current = sections.find(({ code }) => code === SECTION.applicationProperties);
  const behind = sections.find(({ code }) => code > SECTION.applicationProperties);
  const start = current?.start ?? behind?.start ?? payload.length;
  const items =
    current === undefined
      ? []
      : mapItems(decodeValue(payload.subarray(current.valueStart, current.end)));
  return Buffer.concat([
    payload.subarray(0, start),
    encodeSection(mergeItems(items, changes)),
    payload.subarray(current?.end ?? start),
  ]);
}

const createMessageId = (): string => randomUUID().replaceAll('-', '');

/** Returns the message with an id of its own or a new one. */
export function withMessageId(message: IncomingMessage): IncomingMessage {
  return { ...message, payload: ensureMessageId(message.payload, createMessageId) };
}

const NULL = 0x40;
const LIST_EMPTY = 0x45;
const LIST_SHORT = 0xc0;
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
