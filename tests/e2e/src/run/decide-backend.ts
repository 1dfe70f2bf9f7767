import type { Backend } from '../harness/e2e-cluster.ts';
import { runCommand } from './run-command.ts';

const ASK_MS_MAX = 20_000;

export type BackendChoice =
  | {
      readonly kind: 'chosen';
      readonly backend: Backend;
      /** Nothing may be taken in its place. */
      readonly isRequired: boolean;
      readonly description: string;
    }
  | { readonly kind: 'refused'; readonly reason: string };

export const ON_PROCESSES = { kind: 'chosen', backend: 'processes', isRequired: false } as const;

/** `wanted` is what E2E_BACKEND says; empty for whatever is to be had. */
export async function decideBackend(wanted: string): Promise<BackendChoice> {
  if (!['', 'processes', 'containers'].includes(wanted)) {
    const reason = `E2E_BACKEND must be processes or containers, not "${wanted}".`;
    return { kind: 'refused', reason };
  }
  const engine = wanted === 'processes' ? undefined : await findEngine();
  if (engine !== undefined) {
    const description = `containers (Docker ${engine})`;
    return { kind: 'chosen', backend: 'containers', isRequired: wanted !== '', description };
  }
  if (wanted === 'containers') {
    const reason =
      'E2E_BACKEND is containers, and no Docker engine answers: start one, or on Debian as root ' +
      'run scripts/docker/engine.sh start.';
    return { kind: 'refused', reason };
  }
  const why = wanted === '' ? 'no Docker engine answers' : 'as E2E_BACKEND says';
  return { ...ON_PROCESSES, description: `processes (${why})` };
}

async function findEngine(): Promise<string | undefined> {
  const args = ['version', '--format', '{{.Server.Version}}'];
  const { exitCode, output } = await runCommand('docker', args, { timeoutMs: ASK_MS_MAX });
  return exitCode === 0 ? output.trim() : undefined;
}
