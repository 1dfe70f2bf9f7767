import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface TestProcess {
  readonly child: ChildProcess;
  /** Everything on stderr, once the process has ended. */
  readonly stderr: Promise<string>;
  readonly exitCode: Promise<number | null>;
  /** Resolves to the first line of the log with that event; rejects when the process ends first. */
  readonly untilEvent: (event: string) => Promise<Record<string, unknown>>;
}

/** Starts main.ts with exactly this environment; it ends with the test. */
export function startProcess(env: Record<string, string>): TestProcess {
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exitCode = once(child, 'exit').then(([code]) => code as number | null);
  const stderr = text(child.stderr);
  const seen: Record<string, unknown>[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    seen.push(entry);
    lines.emit(`event:${String(entry['event'])}`, entry);
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exitCode;
  });
  return {
    child,
    stderr,
    exitCode,
    untilEvent: async (event) => {
      const earlier = seen.find((entry) => entry['event'] === event);
      if (earlier !== undefined) return earlier;
      const ended = exitCode.then(async (code) => {
        throw new Error(`ended with ${code} before ${event}: ${await stderr}`);
      });
      const [entry] = await Promise.race([once(lines, `event:${event}`), ended]);
      return entry as Record<string, unknown>;
    },
  };
}
