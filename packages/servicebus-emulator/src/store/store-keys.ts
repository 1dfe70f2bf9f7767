import type { DueMessage, MessageState, NoteKey, StoredMessage } from './message-store.ts';

/** Keys that sort as bytes the way their parts sort as numbers. */
const HIGH_WORD = 2 ** 32;

function writeUint64(key: Buffer, value: number, offset: number): void {
  key.writeUInt32BE(Math.floor(value / HIGH_WORD), offset);
  key.writeUInt32BE(value % HIGH_WORD, offset + 4);
}

function readUint64(key: Buffer, offset: number): number {
  return key.readUInt32BE(offset) * HIGH_WORD + key.readUInt32BE(offset + 4);
}

export function messageKey(queueId: number, sequenceNumber: number): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(queueId, 0);
  writeUint64(key, sequenceNumber, 4);
  return key;
}

export function sequenceNumberOf(key: Buffer): number {
  return readUint64(key, 4);
}

export function queueIdOf(key: Buffer): number {
  return key.readUInt32BE(0);
}

/** The due time is kept in whole milliseconds. */
export function dueKey(queueId: number, due: DueMessage): Buffer {
  const key = Buffer.allocUnsafe(20);
  key.writeUInt32BE(queueId, 0);
  writeUint64(key, Math.floor(due.dueAtMs), 4);
  writeUint64(key, due.sequenceNumber, 12);
  return key;
}

export function dueOf(key: Buffer): DueMessage {
  return { dueAtMs: readUint64(key, 4), sequenceNumber: readUint64(key, 12) };
}

/** Behind the queue's id, a byte for the kind, so that the notes of one kind lie together. */
const NOTE_KINDS: Readonly<Record<NoteKey['kind'], number>> = {
  'session-state': 1,
  'seen-message': 2,
  'session-updated': 3,
};
const NOTE_HEAD_BYTES = 5;

export function noteKey(queueId: number, { kind, name }: NoteKey): Buffer {
  const head = Buffer.allocUnsafe(NOTE_HEAD_BYTES);
  head.writeUInt32BE(queueId, 0);
  head.writeUInt8(NOTE_KINDS[kind], 4);
  return Buffer.concat([head, Buffer.from(name, 'utf8')]);
}

/** Returns the key just behind the last note of the kind. */
export function noteKeyEnd(queueId: number, kind: NoteKey['kind']): Buffer {
  const end = noteKey(queueId, { kind, name: '' });
  end.writeUInt8(NOTE_KINDS[kind] + 1, 4);
  return end;
}

export function noteNameOf(key: Buffer): string {
  return key.toString('utf8', NOTE_HEAD_BYTES);
}

/**
 * The stored form of a message: a fixed head, then session id and annotations with their lengths,
 * then the payload up to the end. The first byte is the layout's version: version 1 has no session
 * id, and zeros where version 2 keeps its length. Before the session id older emulators wrote the
 * name of a dead letter's queue, which is passed over.
 */
const LAYOUT_VERSION = 2;
const VERSION_WITHOUT_SESSIONS = 1;
const HEAD_BYTES = 48;
const PRIORITY_FLAG = 4;
const DURABLE_FLAGS: readonly (boolean | undefined)[] = [undefined, false, true];
const STATES: readonly MessageState[] = ['active', 'deferred', 'scheduled'];

const orNaN = (value: number | undefined): number => value ?? Number.NaN;
const orUndefined = (value: number): number | undefined =>
  Number.isNaN(value) ? undefined : value;

export function encodeMessage(message: StoredMessage): Buffer {
  const session = Buffer.from(message.sessionId ?? '', 'utf8');
  const annotations = message.annotations ?? Buffer.alloc(0);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(LAYOUT_VERSION, 0);
  head.writeUInt8(STATES.indexOf(message.state), 1);
  head.writeUInt32BE(annotations.length, 4);
  head.writeUInt32BE(message.deliveryCount, 8);
  // Zero for none, else one more than its length: the empty session id is an id, too.
  head.writeUInt16BE(message.sessionId === undefined ? 0 : session.length + 1, 12);
  const hasPriority = message.priority === undefined ? 0 : PRIORITY_FLAG;
  head.writeUInt8(DURABLE_FLAGS.indexOf(message.durable) + hasPriority, 14);
  head.writeUInt8(message.priority ?? 0, 15);
  head.writeDoubleBE(message.enqueuedAtMs, 16);
  head.writeDoubleBE(orNaN(message.dueAtMs), 24);
  head.writeDoubleBE(orNaN(message.timeToLiveMs), 32);
  head.writeDoubleBE(message.enqueuedSequenceNumber, 40);
  return Buffer.concat([head, session, annotations, message.payload]);
}

/** Throws when the bytes are not of this layout, naming the version found. */
export function decodeMessage(sequenceNumber: number, bytes: Buffer): StoredMessage {
  const version = bytes.readUInt8(0);
  const state = STATES[bytes.readUInt8(1)];
  const isKnown = version === LAYOUT_VERSION || version === VERSION_WITHOUT_SESSIONS;
  if (!isKnown || state === undefined) {
    throw new Error(
      `Stored message ${sequenceNumber} has layout ${version}, this emulator reads ` +
        `${LAYOUT_VERSION}: start it with an empty --location`,
    );
  }
  const sourceEnd = HEAD_BYTES + bytes.readUInt16BE(2);
  const sessionField = bytes.readUInt16BE(12);
  const sessionEnd = sourceEnd + Math.max(sessionField - 1, 0);
  const flags = bytes.readUInt8(14);
  const annotationsEnd = sessionEnd + bytes.readUInt32BE(4);
  return {
    sequenceNumber,
    state,
    deliveryCount: bytes.readUInt32BE(8),
    durable: DURABLE_FLAGS[flags % PRIORITY_FLAG],
    priority: flags < PRIORITY_FLAG ? undefined : bytes.readUInt8(15),
    enqueuedAtMs: bytes.readDoubleBE(16),
    dueAtMs: orUndefined(bytes.readDoubleBE(24)),
    timeToLiveMs: orUndefined(bytes.readDoubleBE(32)),
    enqueuedSequenceNumber: bytes.readDoubleBE(40),
    sessionId: sessionField === 0 ? undefined : bytes.toString('utf8', sourceEnd, sessionEnd),
    annotations:
      annotationsEnd === sessionEnd ? undefined : bytes.subarray(sessionEnd, annotationsEnd),
    payload: bytes.subarray(annotationsEnd),
  };
}
