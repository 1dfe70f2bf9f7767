import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cluster, inventoryOf } from '@tandem/local-cluster';

export interface TandemRun {
  readonly code: number;
  readonly json: Readonly<Record<string, unknown>>;
  /** For the message of an assertion. */
  readonly output: string;
}

const TANDEM = fileURLToPath(import.meta.resolve('@tandem/cli/main'));
const TIMEOUT_MS = 180_000;

/** Runs `tandem --json …` on the cluster, as an operator's shell would. */
export async function runTandem(cluster: Cluster, ...args: readonly string[]): Promise<TandemRun> {
  const env = { ...process.env, TANDEM_REGIONS: JSON.stringify(inventoryOf(cluster)) };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [TANDEM, '--json', ...args],
      { env, timeout: TIMEOUT_MS },
      (error, stdout, stderr) => {
        const last = stdout.trimEnd().split('\n').at(-1) ?? '';
        const json = (last.startsWith('{') ? JSON.parse(last) : {}) as Record<string, unknown>;
        const code = error === null ? 0 : Number(error.code ?? -1);
        resolve({ code, json, output: `${stdout}\n${stderr}` });
      },
    );
  });
}
