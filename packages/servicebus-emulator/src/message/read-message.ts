import type { Typed } from 'rhea';
import { decodeValue, encodeValues, mapItems } from './amqp-types.ts';
import {
  DecodeError,
  dataOf,
  endOfValue,
  findSections,
  SECTION,
  type Section,
} from './sections.ts';

/** A message as a client sends it, before the queue gives it a number. */
export interface IncomingMessage {
  readonly timeToLiveMs: number | undefined;
  readonly durable: boolean | undefined;
  readonly priority: number | undefined;
  /** When the sender wants it to be enqueued, if not now. */
  readonly scheduledAtMs: number | undefined;
  readonly sessionId: string | undefined;
  readonly annotations: Buffer | undefined;
  readonly payload: Buffer;
}

const SCHEDULED_ANNOTATION = 'x-opt-scheduled-enqueue-time';
/** Only the broker writes these. */
const BROKER_ANNOTATIONS: ReadonlySet<unknown> = new Set([
  'x-opt-sequence-number',
  'x-opt-enqueued-time',
  'x-opt-enqueue-sequence-number',
  'x-opt-locked-until',
  'x-opt-message-state',
  'x-opt-deadletter-source',
]);

function decodeSection(bytes: Buffer, section: Section): Typed {
  try {
    return decodeValue(bytes.subarray(section.valueStart, section.end));
  } catch (error) {
    const description = `The message section at byte ${section.start} cannot be decoded`;
    throw new DecodeError(description, { cause: error });
  }
}

type Header = Pick<IncomingMessage, 'timeToLiveMs' | 'durable' | 'priority'>;

const NO_HEADER: Header = { timeToLiveMs: undefined, durable: undefined, priority: undefined };

function readHeader(bytes: Buffer, header: Section): Header {
  const list = decodeSection(bytes, header).value;
  const fields = Array.isArray(list) ? (list as { value: unknown }[]) : [];
  const [durable, priority, ttl] = fields.map((field) => field.value);
  return {
    timeToLiveMs: typeof ttl === 'number' && ttl > 0 ? ttl : undefined,
    durable: typeof durable === 'boolean' ? durable : undefined,
    priority: isByte(priority) ? priority : undefined,
  };
}

function isByte(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255;
}

function readScheduledTime(items: readonly Typed[]): number | undefined {
  const key = items.findIndex(
    ({ value }, index) => index % 2 === 0 && value === SCHEDULED_ANNOTATION,
  );
  const time: unknown = key === -1 ? undefined : items[key + 1]?.value;
  return time instanceof Date ? time.getTime() : undefined;
}

/** The annotations that go on to receivers. */
function encodeAnnotations(items: readonly Typed[]): Buffer | undefined {
  const kept = items.filter((_, index) => {
    const key = items[index - (index % 2)];
    return !BROKER_ANNOTATIONS.has(key?.value);
  });
  if (kept.length === 0) return undefined;
  const count = Buffer.alloc(4);
  count.writeUInt32BE(kept.length);
  return Buffer.concat([count, encodeValues(kept)]);
}

function readSessionId(payload: Buffer): string | undefined {
  try {
    return readProperty(payload, 'groupId');
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError('The properties of the message cannot be decoded', { cause: error });
  }
}

/**
 * Takes an encoded message apart. What the broker need not know stays encoded, byte for byte.
 * Throws DecodeError when the bytes are no message.
 */
export function readMessage(bytes: Buffer): IncomingMessage {
  let header = NO_HEADER;
  let annotations: readonly Typed[] = [];
  let bareStart = bytes.length;
  for (const section of findSections(bytes)) {
    if (section.code === SECTION.header) header = readHeader(bytes, section);
    else if (section.code === SECTION.messageAnnotations) {
      annotations = mapItems(decodeSection(bytes, section));
    } else if (section.code >= SECTION.properties) {
      bareStart = Math.min(bareStart, section.start);
    }
  }
  // A copy, so that the message does not keep the whole read buffer of its connection alive.
  const payload = Buffer.from(bytes.subarray(bareStart));
  return {
    ...header,
    scheduledAtMs: readScheduledTime(annotations),
    sessionId: readSessionId(payload),
    annotations: encodeAnnotations(annotations),
    payload,
  };
}

/** Takes apart a batch: a message whose data sections, if it has any, are encoded messages. */
export function readBatch(bytes: Buffer): IncomingMessage[] {
  return findSections(bytes)
    .filter((section) => section.code === SECTION.data)
    .map((section) => readMessage(dataOf(bytes, section)));
}

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

/** One field of a bare message's properties, encoded, found without decoding any; undefined when it is absent. */
export function findField(payload: Buffer, field: keyof typeof FIELD): Buffer | undefined {
  const [properties] = findSections(payload);
  if (properties?.code !== SECTION.properties) return undefined;
  const { count, first } = openList(payload, properties.valueStart);
  if (count <= FIELD[field]) return undefined;
  let offset = first;
  for (let index = 0; index < FIELD[field]; index += 1) offset = endOfValue(payload, offset);
  if (payload.readUInt8(offset) === NULL) return undefined;
  return payload.subarray(offset, endOfValue(payload, offset));
}

/**
 * One field of a bare message's properties as text; undefined when it is absent. Throws DecodeError or
 * RangeError for bytes that are no message.
 */
export function readProperty(payload: Buffer, field: keyof typeof FIELD): string | undefined {
  const encoded = findField(payload, field);
  if (encoded === undefined) return undefined;
  const value: unknown = decodeValue(encoded).value;
  return Buffer.isBuffer(value) ? value.toString('hex') : String(value);
}
