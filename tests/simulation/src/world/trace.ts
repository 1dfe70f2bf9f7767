import { createHash } from 'node:crypto';

/** What happened, line by line. Equal seeds give equal bytes. */
export interface Trace {
  note(line: string): void;
  digest(): string;
  lines(): readonly string[];
}

export function createTrace(nowMs: () => number): Trace {
  const lines: string[] = [];
  const startMs = nowMs();
  return {
    note(line) {
      lines.push(`${nowMs() - startMs} ${line}`);
    },
    digest: () => createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32),
    lines: () => lines,
  };
}
