import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const QUEUE = 'q';

export interface EmulatorProcess {
  readonly connectionString: string;
  /** Ends it without a word. */
  kill(): void;
  readonly ended: Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url));
const ARGS = ['--amqp-port', '0', '--admin-port', '0', '--queues', QUEUE];

/** Runs the emulator's program on the folder. Throws when it ends before it is ready. */
export async function startEmulatorProcess(folder: string): Promise<EmulatorProcess> {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...ARGS, '--location', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => undefined);
  const lines = createInterface(child.stdout!);
  const line = await Promise.race([once(lines, 'line'), ended]);
  if (line === undefined) throw new Error('The emulator ended before it was ready');
  const { connectionString } = JSON.parse(String(line[0])) as { connectionString: string };
  return { connectionString, kill: () => child.kill('SIGKILL'), ended };
}
