import process from 'node:process';
import { escapeLineBreakers } from '@tandem/core';
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { redactLine } from './redact.ts';

export type { PinoLogger };

/**
 * Variables of a log line. `event` is stable: operators search for it and tests wait for it, while
 * the message may be reworded. An error belongs into `error`. Ids, never payloads.
 */
export interface LogFields {
  readonly event: string;
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

/** What code that logs needs; a pino logger is one. The message is a constant sentence. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly service: string;
  readonly region: string;
  readonly level: LogLevel;
  /** Standard output by default, written before the process ends by itself or by an error. */
  readonly destination?: DestinationStream;
}

/**
 * Makes a logger that writes a JSON object per line: ISO time, level by name, `service` and
 * `region` in each.
 */
export function createLogger({ service, region, level, destination }: LoggerOptions): PinoLogger {
  return pino(
    {
      level,
      base: { service, region },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: createTimeMember(),
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError, err: serializeError },
      // What others wrote must not end a line, nor reach a terminal as a command.
      hooks: { streamWrite: (line) => escapeLineBreakers(redactLine(line)) },
    },
    destination ?? standardOutput(),
  );
}

/**
 * Makes what gives the member `time` of a line: many lines of one millisecond under load have it
 * written once.
 */
function createTimeMember(): () => string {
  let writtenMs = Number.NaN;
  let member = '';
  return () => {
    const now = Date.now();
    if (now !== writtenMs) {
      writtenMs = now;
      member = `,"time":"${new Date(now).toISOString()}"`;
    }
    return member;
  };
}

function standardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true });
  const lines = createGatheredLines((text) => output.write(text));
  process.once('exit', lines.flush);
  return lines;
}

/** Lines are written after so long, or earlier beyond this length. */
export const GATHER_LINES_MS = 20;
const LENGTH_MAX = 64 * 1_024;
/** As pino numbers its levels: what may be the last line of a process is written at once. */
const WARN = 40;

interface GatheredLines extends DestinationStream {
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

/** Errors are chained a few deep; the rest tells nothing new. */
const CAUSES_MAX = 4;

interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly retryable?: unknown;
  readonly details?: unknown;
  readonly stack?: string;
  readonly cause?: SerializedError;
}

/** What errors of ours, of Node and of libraries may have besides. */
interface WithFields {
  readonly code?: unknown;
  readonly retryable?: unknown;
  readonly details?: unknown;
}

/**
 * Only what an operator reads. Errors of the Azure libraries carry whole requests and responses,
 * with headers and bodies, which must not reach a log.
 */
export function serializeError(error: unknown, causesLeft: number = CAUSES_MAX): SerializedError {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const { code, retryable, details }: Error & WithFields = error;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(retryable === undefined ? {} : { retryable }),
    ...(isPlainObject(details) ? { details } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || causesLeft <= 0
      ? {}
      : { cause: serializeError(error.cause, causesLeft - 1) }),
  };
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
