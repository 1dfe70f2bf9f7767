import type { MessageState, StoredMessage } from './message-store.ts';

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
