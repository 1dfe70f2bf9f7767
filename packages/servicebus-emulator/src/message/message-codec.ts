import type { Typed } from 'rhea';
import { decodeValue, encodeValues, mapItems } from '../amqp/rhea-internals.ts';
import type { MessageState, StoredMessage } from '../store/message-store.ts';
import {
  DecodeError,
  dataOf,
  endOfValue,
  findSections,
  reorderLockToken,
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

/**
 * Puts a stored message together for a receiver: a header and message annotations in front of the
 * bare message, which goes out as it came in.
 */

const UINT_MAX = 4_294_967_295;
const HIGH_WORD = 2 ** 32;
const STATE_NUMBERS: Readonly<Record<MessageState, number>> = {
  active: 0,
  deferred: 1,
  scheduled: 2,
};

const LONG = 0x81;
const TIMESTAMP = 0x83;
const INT = 0x71;
const UUID = 0x98;
const UUID_BYTES = 16;
/** A header section whose list has a four-byte size. */
const HEADER_DESCRIPTOR = Buffer.from([0x00, 0x53, 0x70, 0xd0]);
const HEADER_FIELDS = 5;
const PRIORITY_DEFAULT = 4;
const DELIVERY_MAP_DESCRIPTOR = Buffer.from([0x00, 0x53, 0x71, 0xd1]);
const BODY_SECTIONS: ReadonlySet<number> = new Set([SECTION.data, SECTION.sequence, SECTION.value]);
const NOTHING = Buffer.alloc(0);
const MAP_DESCRIPTOR = Buffer.from([0x00, 0x53, 0x72, 0xd1]);

function symbol(name: string): Buffer {
  return Buffer.concat([Buffer.from([0xa3, name.length]), Buffer.from(name, 'ascii')]);
}

const NAMES = {
  sequenceNumber: symbol('x-opt-sequence-number'),
  enqueuedSequenceNumber: symbol('x-opt-enqueue-sequence-number'),
  enqueuedTime: symbol('x-opt-enqueued-time'),
  lockedUntil: symbol('x-opt-locked-until'),
  state: symbol('x-opt-message-state'),
  omittedBodySize: symbol('omitted-message-body-size'),
  lockToken: symbol('x-opt-lock-token'),
};

/** The annotation of a sender who wants the message to be enqueued later. */
const SCHEDULED_TIME = Buffer.from('x-opt-scheduled-enqueue-time', 'ascii');

/** A message that was scheduled says so for ever, though it is as active as any other. */
function shownStateOf({ state, annotations }: StoredMessage): MessageState {
  return state === 'active' && annotations?.includes(SCHEDULED_TIME) === true ? 'scheduled' : state;
}

/** An 8-byte value behind its type code. All values here are positive. */
function wide(typeCode: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes.writeUInt8(typeCode, 0);
  bytes.writeUInt32BE(Math.floor(value / HIGH_WORD), 1);
  bytes.writeUInt32BE(value % HIGH_WORD, 5);
  return bytes;
}

function encodeHeader(message: StoredMessage): Buffer {
  const ttl = message.timeToLiveMs;
  const bytes = Buffer.allocUnsafe(ttl === undefined ? 22 : 26);
  HEADER_DESCRIPTOR.copy(bytes);
  bytes.writeUInt32BE(bytes.length - 8, 4);
  bytes.writeUInt32BE(HEADER_FIELDS, 8);
  // Durable, priority, time to live, first acquirer false, delivery count.
  let offset = bytes.writeUInt8(message.durable === false ? 0x42 : 0x41, 12);
  offset = bytes.writeUInt8(0x50, offset);
  offset = bytes.writeUInt8(message.priority ?? PRIORITY_DEFAULT, offset);
  if (ttl === undefined) offset = bytes.writeUInt8(0x40, offset);
  else {
    offset = bytes.writeUInt8(0x70, offset);
    offset = bytes.writeUInt32BE(Math.min(Math.max(Math.round(ttl), 1), UINT_MAX), offset);
  }
  offset = bytes.writeUInt8(0x42, offset);
  offset = bytes.writeUInt8(0x70, offset);
  bytes.writeUInt32BE(message.deliveryCount, offset);
  return bytes;
}

function encodeState(state: MessageState): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(INT, 0);
  bytes.writeInt32BE(STATE_NUMBERS[state], 1);
  return bytes;
}

function annotationItems(message: StoredMessage, lockedUntilMs: number | undefined): Buffer[] {
  const items = [
    NAMES.enqueuedTime,
    wide(TIMESTAMP, message.enqueuedAtMs),
    NAMES.sequenceNumber,
    wide(LONG, message.sequenceNumber),
    NAMES.enqueuedSequenceNumber,
    wide(LONG, message.enqueuedSequenceNumber),
    NAMES.state,
    encodeState(shownStateOf(message)),
  ];
  if (lockedUntilMs !== undefined) items.push(NAMES.lockedUntil, wide(TIMESTAMP, lockedUntilMs));
  return items;
}

interface Parts {
  readonly deliveryAnnotations?: Buffer;
  readonly payload: Buffer;
  readonly lockedUntilMs?: number | undefined;
}

function join(message: StoredMessage, parts: Parts): Buffer {
  const { deliveryAnnotations = NOTHING, payload, lockedUntilMs } = parts;
  const items = annotationItems(message, lockedUntilMs);
  const own = message.annotations;
  const count = items.length + (own === undefined ? 0 : own.readUInt32BE(0));
  if (own !== undefined) items.push(own.subarray(4));
  const itemBytes = items.reduce((sum, item) => sum + item.length, 0);
  const mapHead = Buffer.allocUnsafe(8);
  mapHead.writeUInt32BE(itemBytes + 4, 0);
  mapHead.writeUInt32BE(count, 4);
  return Buffer.concat([
    encodeHeader(message),
    deliveryAnnotations,
    MAP_DESCRIPTOR,
    mapHead,
    ...items,
    payload,
  ]);
}

/** What a receiver is told of the lock under which a message is delivered. */
export interface DeliveryLock {
  readonly token: Buffer;
  readonly expiresAtMs: number;
}

/** A section of delivery annotations with one item: the encoded name, and the encoded value. */
function deliveryAnnotation(name: Buffer, value: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(name.length + value.length + 4, 0);
  head.writeUInt32BE(2, 4);
  return Buffer.concat([DELIVERY_MAP_DESCRIPTOR, head, name, value]);
}

function lockTokenAnnotation(token: Buffer): Buffer {
  const value = Buffer.concat([Buffer.from([UUID]), reorderLockToken(token)], 1 + UUID_BYTES);
  return deliveryAnnotation(NAMES.lockToken, value);
}

/** The whole message, encoded; with the lock for one that is delivered under it. */
export function writeMessage(message: StoredMessage, lock?: DeliveryLock): Buffer {
  const { payload } = message;
  if (lock === undefined) return join(message, { payload });
  const deliveryAnnotations = lockTokenAnnotation(lock.token);
  return join(message, { payload, lockedUntilMs: lock.expiresAtMs, deliveryAnnotations });
}

/** The message without its body, whose size a delivery annotation tells. */
export function writeMessageWithoutBody(message: StoredMessage): Buffer {
  const { payload } = message;
  const body = findSections(payload).filter(({ code }) => BODY_SECTIONS.has(code));
  const start = body[0]?.start ?? payload.length;
  const end = body.at(-1)?.end ?? start;
  return join(message, {
    deliveryAnnotations: deliveryAnnotation(NAMES.omittedBodySize, wide(LONG, end - start)),
    payload: Buffer.concat([payload.subarray(0, start), payload.subarray(end)]),
  });
}
