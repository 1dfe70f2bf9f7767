import type { MessageState, StoredMessage } from '../store/message-store.ts';
import { findSections, reorderLockToken, SECTION } from './sections.ts';

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
