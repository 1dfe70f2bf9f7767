/** A process that speaks in lines, each of which is JSON. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface LineProcess {
  /** Sends a line. */
  send(line: unknown): void;
  /** Returns the next line that it writes. Rejects with what it said last when it ends before. */
  next(): Promise<unknown>;
  /** Returns what it wrote last for people. */
  said(): string;
  /** Ends it without asking, and resolves once it has ended. */
  kill(): Promise<void>;
}

const OUTPUT_LENGTH_MAX = 8_000;

/** None outlives the process that started it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startLineProcess(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): LineProcess {
  const child: ChildProcess = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-OUTPUT_LENGTH_MAX);
  });
  const ended = once(child, 'exit').then(() => running.delete(child));
  // What it was sent and no longer reads is missed by nobody.
  child.stdin?.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    send: (line) => void child.stdin?.write(`${JSON.stringify(line)}\n`),
    async next() {
      const { value, done } = await lines.next();
      if (done !== true) return JSON.parse(value);
      await ended;
      throw new Error(`${file} ended, and said: ${said}`);
    },
    said: () => said,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
