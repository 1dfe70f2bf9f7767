import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const READY_MS_MAX = 90_000;

export interface SpawnedApi {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  readonly output: () => { readonly stdout: string; readonly stderr: string };
  /** Resolves with the port once it listens; rejects when it ends before, or after 30 s. */
  untilReady(): Promise<number>;
  /** Its exit code, once it has ended. */
  untilExit(): Promise<number | null>;
}

/** The real process, with nothing but these variables in its environment. */
export function spawnApi(environment: Readonly<Record<string, string>>): SpawnedApi {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);

  return {
    child,
    output: () => ({ stdout, stderr }),
    untilExit: () => exited,
    async untilReady() {
      const deadline = AbortSignal.timeout(READY_MS_MAX);
      for (;;) {
        const port = /"event":"ready".*?"port":(\d+)/.exec(stdout)?.[1];
        if (port !== undefined) return Number(port);
        if (child.exitCode !== null) throw new Error(`the process ended: ${stderr}${stdout}`);
        await once(child.stdout, 'data', { signal: deadline });
      }
    },
  };
}
