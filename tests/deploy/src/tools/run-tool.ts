import { execFile } from 'node:child_process';

export interface ToolRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 90_000;
const OUTPUT_BYTES_MAX = 16 * 1_024 * 1_024;

/** Runs a program to its end. Rejects only when it cannot be started or is killed by the timeout. */
export function runTool(path: string, args: readonly string[]): Promise<ToolRun> {
  const options = { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve, reject) => {
    execFile(path, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else reject(error);
    });
  });
}
