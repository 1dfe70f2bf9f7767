import type { DueMessage } from './message-store.ts';

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
