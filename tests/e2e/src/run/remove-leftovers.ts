import { RUN_LABEL } from '../harness/containers/runtime.ts';
import { runCommand } from './run-command.ts';

const CALL_MS_MAX = 120_000;

/** Removes what a run that was cut short has left; resolves to how many containers those were. */
export async function removeLeftovers(run: string): Promise<number> {
  const filter = ['--quiet', '--filter', `label=${RUN_LABEL}=${run}`];
  const containers = await list(['ps', '--all', ...filter]);
  if (containers.length > 0) await docker(['rm', '--force', '--volumes', ...containers]);
  const networks = await list(['network', 'ls', ...filter]);
  if (networks.length > 0) await docker(['network', 'rm', ...networks]);
  return containers.length;
}

async function list(args: readonly string[]): Promise<readonly string[]> {
  return (await docker(args)).split('\n').filter((line) => line !== '');
}

async function docker(args: readonly string[]): Promise<string> {
  return (await runCommand('docker', args, { timeoutMs: CALL_MS_MAX })).output;
}
