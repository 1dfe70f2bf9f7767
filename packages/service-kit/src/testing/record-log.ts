import type { LogFields, Logger } from '../logger.ts';

interface RecordedLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

export interface RecordedLog {
  readonly logger: Logger;
  readonly lines: readonly RecordedLine[];
}

/** A logger for tests, which wait for and look at the `event` of each line. */
export function recordLog(): RecordedLog {
  const lines: RecordedLine[] = [];
  const record = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ ...fields, level, message });
  const logger: Logger = {
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  };
  return { logger, lines };
}
