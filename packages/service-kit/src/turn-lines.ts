import type { DestinationStream } from 'pino';

/** Lines are written at the end of the turn of the event loop, or earlier beyond this length. */
const LENGTH_MAX = 64 * 1_024;
/** As pino numbers its levels: what may be the last line of a process is written at once. */
const WARN = 40;

export interface TurnLines extends DestinationStream {
  /** Pino tells the level of the line that it is about to write. */
  lastLevel: number;
  readonly flush: () => void;
}

/**
 * Gives the lines of one turn of the event loop on in one piece: under load many requests end in one
 * turn, and a system call for each costs as much as the request. A line of a warning or worse goes
 * at once, with all before it; the caller sees to `flush` when the process ends.
 */
export function createTurnLines(write: (text: string) => void): TurnLines {
  let waiting = '';
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    if (text !== '') write(text);
  };
  const lines: TurnLines = {
    lastLevel: 0,
    write(line) {
      if (waiting === '') setImmediate(flush);
      waiting += line;
      if (lines.lastLevel >= WARN || waiting.length >= LENGTH_MAX) flush();
    },
    flush,
  };
  return Object.assign(lines, { [Symbol.for('pino.metadata')]: true });
}
