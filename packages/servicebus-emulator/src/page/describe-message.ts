import { decodeValue } from '../amqp/rhea-internals.ts';
import { findField } from '../message/message-codec.ts';
import { dataOf, endOfValue, findSections, SECTION } from '../message/sections.ts';
import type { StoredMessage } from '../store/message-store.ts';

/**
 * What a person is shown of a message. Bodies and properties are whatever a client sent, so lists, maps and arrays are
 * not taken apart: a few bytes may claim to be a list of four thousand million items.
 */
export interface DescribedMessage {
  readonly messageId: string | undefined;
  /** The first of the application properties, each value cut. */
  readonly properties: readonly (readonly [name: string, value: string])[];
  readonly body: DescribedBody;
}

interface DescribedBody {
  readonly text: string;
  /** Says what the text is. */
  readonly form: 'text' | 'bytes in hex' | 'not taken apart' | 'unreadable';
  readonly bytes: number;
  readonly isCut: boolean;
}

const PROPERTIES_MAX = 20;
const PROPERTY_BYTES_MAX = 512;
const MESSAGE_ID_BYTES_MAX = 512;
/** Two characters for a byte. */
const HEX_SHARE = 2;

export function describeMessage(
  { payload }: StoredMessage,
  bodyBytesMax: number,
): DescribedMessage {
  try {
    const id = findField(payload, 'messageId');
    return {
      messageId: id === undefined ? undefined : describeValue(id, MESSAGE_ID_BYTES_MAX).text,
      properties: readProperties(payload),
      body: describeBody(payload, bodyBytesMax),
    };
  } catch {
    // Whoever decodes says of bytes that it does not know what it likes, a TypeError among them; the page shows the others.
    const body = { text: '', form: 'unreadable', bytes: payload.length, isCut: false } as const;
    return { messageId: undefined, properties: [], body };
  }
}

function describeBody(payload: Buffer, bytesMax: number): DescribedBody {
  const sections = findSections(payload);
  const data = sections.filter(({ code }) => code === SECTION.data);
  if (data.length > 0) {
    const bytes = Buffer.concat(data.map((section) => dataOf(payload, section)));
    return describeBytes(bytes, bytesMax);
  }
  const [body] = sections.filter(({ code }) => code === SECTION.value || code === SECTION.sequence);
  if (body === undefined) return { text: '', form: 'text', bytes: 0, isCut: false };
  return describeValue(payload.subarray(body.valueStart, body.end), bytesMax);
}

function describeBytes(bytes: Buffer, bytesMax: number): DescribedBody {
  const isCut = bytes.length > bytesMax;
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    // A cut may go through a character, whose first half is left out then.
    const text = decoder.decode(bytes.subarray(0, bytesMax), { stream: isCut });
    return { text, form: 'text', bytes: bytes.length, isCut };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const shown = bytes.subarray(0, Math.floor(bytesMax / HEX_SHARE));
    const isShorter = shown.length < bytes.length;
    return {
      text: shown.toString('hex'),
      form: 'bytes in hex',
      bytes: bytes.length,
      isCut: isShorter,
    };
  }
}

/** How an encoded value begins (part 1.6 of the specification). */
const VARIABLE_WIDTH = 0xa;
const COMPOUND_WIDTH = 0xc;
const SHORT_HEAD = 2;
const LONG_HEAD = 5;

function describeValue(value: Buffer, bytesMax: number): DescribedBody {
  const width = value.readUInt8(0) >> 4;
  if (width >= COMPOUND_WIDTH) {
    return { text: '', form: 'not taken apart', bytes: value.length, isCut: false };
  }
  if (width >= VARIABLE_WIDTH) {
    return describeBytes(
      value.subarray(width === VARIABLE_WIDTH ? SHORT_HEAD : LONG_HEAD),
      bytesMax,
    );
  }
  const plain: unknown = decodeValue(value).value;
  const text =
    plain instanceof Date
      ? (new Date(plain).toJSON() ?? 'a time beyond every calendar')
      : Buffer.isBuffer(plain)
        ? plain.toString('hex')
        : String(plain);
  return { text, form: 'text', bytes: value.length, isCut: false };
}

const MAP_SHORT = 0xc1;
const MAP_LONG = 0xd1;

function readProperties(payload: Buffer): [string, string][] {
  const section = findSections(payload).find(({ code }) => code === SECTION.applicationProperties);
  if (section === undefined) return [];
  const bytes = payload.subarray(section.valueStart, section.end);
  const constructor = bytes.readUInt8(0);
  if (constructor !== MAP_SHORT && constructor !== MAP_LONG) return [];
  const isShort = constructor === MAP_SHORT;
  const count = isShort ? bytes.readUInt8(2) : bytes.readUInt32BE(5);
  const found: [string, string][] = [];
  let offset = isShort ? 3 : 9;
  const next = (): string => {
    const end = endOfValue(bytes, offset);
    const { text, form, isCut } = describeValue(bytes.subarray(offset, end), PROPERTY_BYTES_MAX);
    offset = end;
    return form === 'not taken apart' ? `(${form})` : `${text}${isCut ? '…' : ''}`;
  };
  for (let item = 0; item + 1 < count && found.length < PROPERTIES_MAX; item += 2) {
    found.push([next(), next()]);
  }
  return found;
}
