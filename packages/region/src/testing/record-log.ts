import { createLogger, type PinoLogger } from '@tandem/service-kit';

export interface RecordedLog {
  readonly logger: PinoLogger;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Returns the lines of one event, in order. */
  of(event: string): readonly Readonly<Record<string, unknown>>[];
}

/** Makes the real logger, whose lines are kept instead of written. */
export function recordLog(region = 'east'): RecordedLog {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    service: 'replicator',
    region,
    level: 'debug',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  return { logger, lines, of: (event) => lines.filter((line) => line['event'] === event) };
}
