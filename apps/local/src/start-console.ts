// The console beside the regions: a process of its own, so that it shows also that everything else is gone. What it
// says goes to the terminal and into no log, since its link lets whoever reads it in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EXIT_WITH_PARENT } from '@tandem/local-cluster';

export interface LocalConsole {
  /** Resolves when it is gone. */
  stop(): Promise<void>;
}

const STOP_MS_MAX = 10_000;

/** Starts it, and does not wait: it prints its link when it listens. One that ends by itself has said why. */
export function startConsole({
  inventory,
  port,
}: {
  /** Is the file that says where the regions are. */
  readonly inventory: string;
  readonly port: number;
}): LocalConsole {
  const main = fileURLToPath(import.meta.resolve('@tandem/cli/main'));
  const args = ['--regions', inventory, 'console', '--port', String(port)];
  const child = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, main, ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // One that cannot be started is told of, and leaves the regions running.
  const ended = once(child, 'exit').catch((error: unknown) =>
    console.error(`The console could not be started: ${String(error)}`),
  );
  return {
    async stop() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    },
  };
}
