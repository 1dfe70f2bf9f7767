import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CommandOutcome {
  /** Null when a signal ended it, or when it could not be started. */
  readonly exitCode: number | null;
  /** Of stdout; empty when that is shown. */
  readonly output: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Its output goes where ours goes. */
  readonly isShown?: boolean;
  readonly timeoutMs: number;
}

/** Runs a program to its end, without a shell. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { cwd, env, isShown = false, timeoutMs }: CommandOptions,
): Promise<CommandOutcome> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', isShown ? 'inherit' : 'pipe', isShown ? 'inherit' : 'ignore'],
    timeout: timeoutMs,
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    await once(child, 'close');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { exitCode: null, output };
  }
  return { exitCode: child.exitCode, output };
}
