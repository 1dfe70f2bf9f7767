import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import process from 'node:process';
import { redactLine } from './redact.ts';
import { serializeError } from './serialize-error.ts';
import { createGatheredLines } from './gathered-lines.ts';

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

/** One JSON object per line: ISO time, level by name, `service` and `region` in each. */
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
      hooks: { streamWrite: redactLine },
    },
    destination ?? standardOutput(),
  );
}

/** The member `time` of a line. Under load many lines fall into one millisecond, which is written once. */
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
