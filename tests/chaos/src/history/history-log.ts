import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Operation } from './operation.ts';

/** Everything the clients did, in the order in which it ended; in memory and, line by line, in a file. */
export interface HistoryLog<One = Operation> {
  readonly operations: readonly One[];
  nextId(): number;
  add(operation: One): void;
  close(): Promise<void>;
}

/** Far more than a run of an hour: a run stops then, so that memory stays bounded. */
export const OPERATIONS_MAX = 2_000_000;

export function openHistoryLog<One = Operation>(file: string): HistoryLog<One> {
  const operations: One[] = [];
  const stream = createWriteStream(file);
  let ids = 0;
  return {
    operations,
    nextId() {
      ids += 1;
      return ids;
    },
    add(operation) {
      operations.push(operation);
      stream.write(`${JSON.stringify(operation)}\n`);
    },
    async close() {
      stream.end();
      await finished(stream);
    },
  };
}
