import { decodeValue } from './amqp-types.ts';
import { SECTION, endOfValue, findSections } from './sections.ts';

/** Where the fields stand in the properties section (part 3.2.4 of the specification). */
const FIELD = { messageId: 0, groupId: 10 } as const;

const NULL = 0x40;
const LIST_EMPTY = 0x45;
const LIST_SHORT = 0xc0;
const LIST_LONG = 0xd0;

/** How many items the list has, and where the first one is. */
function openList(bytes: Buffer, offset: number): { count: number; first: number } {
  const constructor = bytes.readUInt8(offset);
  if (constructor === LIST_SHORT) return { count: bytes.readUInt8(offset + 2), first: offset + 3 };
  if (constructor === LIST_LONG) {
    return { count: bytes.readUInt32BE(offset + 5), first: offset + 9 };
  }
  return { count: 0, first: offset + (constructor === LIST_EMPTY ? 1 : 0) };
}

/**
 * One field of a bare message's properties as text, found without decoding the others; undefined
 * when it is absent. Throws DecodeError or RangeError for bytes that are no message.
 */
export function readProperty(payload: Buffer, field: keyof typeof FIELD): string | undefined {
  const [properties] = findSections(payload);
  if (properties?.code !== SECTION.properties) return undefined;
  const { count, first } = openList(payload, properties.valueStart);
  if (count <= FIELD[field]) return undefined;
  let offset = first;
  for (let index = 0; index < FIELD[field]; index += 1) offset = endOfValue(payload, offset);
  if (payload.readUInt8(offset) === NULL) return undefined;
  const value: unknown = decodeValue(payload.subarray(offset, endOfValue(payload, offset))).value;
  return Buffer.isBuffer(value) ? value.toString('hex') : String(value);
}
