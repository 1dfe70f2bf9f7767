import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface ToolRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  /** The package that has the program among its dependencies. */
  readonly folder: string;
  readonly args: readonly string[];
}

const TOOL_MS_MAX = 120_000;
const OUTPUT_BYTES_MAX = 16 * 1_024 * 1_024;
/** They would report home, and ask whether there is something newer. */
const QUIET = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' };

/** Runs a program of a dependency. A run that ends by a signal, or does not end in time, throws. */
export function runTool(name: string, { folder, args }: ToolOptions): Promise<ToolRun> {
  const program = join(folder, 'node_modules/.bin', name);
  if (!existsSync(program)) throw new Error(`${program} is not there: run pnpm install.`);
  const settings = {
    cwd: folder,
    env: { ...process.env, ...QUIET },
    timeout: TOOL_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === 'number') resolve({ exitCode, stdout, stderr });
      else reject(new Error(`${name} did not end by itself: ${stderr}`, { cause: error }));
    });
  });
}
