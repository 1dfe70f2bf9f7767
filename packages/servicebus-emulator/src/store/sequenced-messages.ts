import type { ScanOptions, StoredMessage } from './message-store.ts';

const BLOCK_SIZE = 256;

/** Messages by sequence number, in blocks, so that a scan skips what was removed. */
export interface SequencedMessages {
  get(sequenceNumber: number): StoredMessage | undefined;
  put(message: StoredMessage): void;
  remove(sequenceNumber: number): void;
  scan(options: Omit<ScanOptions, 'queueId'>): StoredMessage[];
}

/** Blocks stay ordered because new sequence numbers only ever grow. */
export function createSequencedMessages(): SequencedMessages {
  const blocks = new Map<number, Map<number, StoredMessage>>();
  const blockOf = (sequenceNumber: number) => Math.floor(sequenceNumber / BLOCK_SIZE);
  return {
    get: (sequenceNumber) => blocks.get(blockOf(sequenceNumber))?.get(sequenceNumber),
    put(message) {
      const number = blockOf(message.sequenceNumber);
      const block = blocks.get(number);
      if (block === undefined) blocks.set(number, new Map([[message.sequenceNumber, message]]));
      else block.set(message.sequenceNumber, message);
    },
    remove(sequenceNumber) {
      const number = blockOf(sequenceNumber);
      const block = blocks.get(number);
      if (block?.delete(sequenceNumber) === true && block.size === 0) blocks.delete(number);
    },
    scan({ fromSequenceNumber, messagesMax, bytesMax }) {
      const found: StoredMessage[] = [];
      let bytes = 0;
      for (const [number, block] of blocks) {
        if (number < blockOf(fromSequenceNumber)) continue;
        for (const message of block.values()) {
          if (message.sequenceNumber < fromSequenceNumber) continue;
          if (found.length >= messagesMax || bytes >= bytesMax) return found;
          found.push(message);
          bytes += message.payload.length;
        }
      }
      return found;
    },
  };
}
