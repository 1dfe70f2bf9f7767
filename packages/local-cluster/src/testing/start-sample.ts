import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { isReadyEvent, type Program } from '../process/local-process.ts';

export type Behaviour = 'run' | 'fail' | 'ignore-stop' | 'print-environment';

export function sampleProgram(behaviour: Behaviour): Program {
  return {
    name: 'sample',
    main: fileURLToPath(new URL('./sample-program.ts', import.meta.url)),
    args: [behaviour],
    env: { OWN: 'given' },
    isReadyLine: isReadyEvent,
    stopSignal: 'SIGTERM',
    watchesParent: false,
  };
}

export async function scratchFile(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, name);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
