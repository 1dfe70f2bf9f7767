import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cluster, inventoryOf } from '@tandem/local-cluster';

const MAIN = fileURLToPath(new URL('../../../../apps/cli/src/main.ts', import.meta.url));
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface TandemRun {
  readonly code: number;
  readonly json: Record<string, unknown>;
  readonly err: string;
}

/** The command as an operator runs it, in a process of its own, with `--json`. */
export function runTandem(
  cluster: Pick<Cluster, 'regions' | 'trafficManagerUrl'>,
  ...args: readonly string[]
): Promise<TandemRun> {
  const env = { ...process.env, TANDEM_REGIONS: JSON.stringify(inventoryOf(cluster)) };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, '--json', ...args],
      { env, maxBuffer: OUTPUT_BYTES_MAX },
      (error, out, err) => {
        const last = out.trimEnd().split('\n').at(-1) ?? '';
        const json = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), json, err });
      },
    );
  });
}
