import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

const LOG_BYTES_MAX = 8 * 1024 * 1024;
const TAIL_LENGTH_MAX = 16 * 1024;
export const TAIL_LINES_MAX = 15;

/** Keeps what a process printed: in a file, and its end in memory. */
export interface BoundedLog {
  readonly file: string;
  write(chunk: Buffer): void;
  lastLines(): readonly string[];
  close(): void;
}

/**
 * Begins the file anew. What was in it becomes `<file>.1`, over the one before, now and whenever it
 * is full: two files of `bytesMax` are all that a process can fill.
 */
export function openBoundedLog(file: string, bytesMax: number = LOG_BYTES_MAX): BoundedLog {
  let descriptor: number | undefined = beginAnew(file);
  let bytes = 0;
  let tail = '';

  const rotate = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = beginAnew(file);
    bytes = 0;
  };

  return {
    file,
    write(chunk) {
      if (descriptor === undefined) return;
      tail = (tail + chunk.toString()).slice(-TAIL_LENGTH_MAX);
      if (bytes + chunk.length > bytesMax && bytes > 0) rotate();
      writeSync(descriptor, chunk);
      bytes += chunk.length;
    },
    lastLines: () => tail.trimEnd().split('\n').slice(-TAIL_LINES_MAX),
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

function beginAnew(file: string): number {
  if (existsSync(file)) renameSync(file, `${file}.1`);
  return openSync(file, 'w');
}
