import type { DueMessage, NoteKey } from './message-store.ts';

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

/** Just behind the last note of the kind. */
export function noteKeyEnd(queueId: number, kind: NoteKey['kind']): Buffer {
  const end = noteKey(queueId, { kind, name: '' });
  end.writeUInt8(NOTE_KINDS[kind] + 1, 4);
  return end;
}

export function noteNameOf(key: Buffer): string {
  return key.toString('utf8', NOTE_HEAD_BYTES);
}
