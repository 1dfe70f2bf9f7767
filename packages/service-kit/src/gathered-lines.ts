import type { DestinationStream } from 'pino';

/** Lines are written after so long, or earlier beyond this length. */
export const GATHER_LINES_MS = 20;
const LENGTH_MAX = 64 * 1_024;
/** As pino numbers its levels: what may be the last line of a process is written at once. */
const WARN = 40;

export interface GatheredLines extends DestinationStream {
  /** Pino tells the level of the line that it is about to write. */
  lastLevel: number;
  readonly flush: () => void;
}

/**
 * Gives the lines of a few milliseconds on in one piece: a system call for each, which also wakes whoever
 * reads them, costs as much as a request. A line of a warning or worse goes at once, with all before it;
 * the caller sees to `flush` when the process ends.
 */
export function createGatheredLines(write: (text: string) => void): GatheredLines {
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    clearTimeout(timer);
    timer = undefined;
    if (text !== '') write(text);
  };
  const lines: GatheredLines = {
    lastLevel: 0,
    write(line) {
      timer ??= setTimeout(flush, GATHER_LINES_MS);
      waiting += line;
      if (lines.lastLevel >= WARN || waiting.length >= LENGTH_MAX) flush();
    },
    flush,
  };
  return Object.assign(lines, { [Symbol.for('pino.metadata')]: true });
}
