import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Sees to it that a paused process does not outlive the one that paused it; released, it lets it go on. */
export interface PauseGuard {
  release(): void;
}

// A paused process cannot notice that its parent has died. This one can: it lets the paused one go
// on, which then ends by itself.
const GUARD = `
process.once('disconnect', () => {
  try {
    process.kill(Number(process.argv[1]), 'SIGCONT');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
});
process.send('watching');
`;

/** Resolves when the guard watches. */
export async function guardPaused(pid: number): Promise<PauseGuard> {
  const guard: ChildProcess = spawn(process.execPath, ['-e', GUARD, String(pid)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
  });
  await once(guard, 'message');
  return {
    release: () => {
      if (guard.connected) guard.disconnect();
    },
  };
}
