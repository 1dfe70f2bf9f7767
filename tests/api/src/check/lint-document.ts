import { fileURLToPath } from 'node:url';
import { REDOCLY_RULES, SPECTRAL_RULES } from '../files.ts';
import { runTool } from '../run/run-tool.ts';

export const TOOLS_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

interface SpectralFinding {
  readonly code: string;
  readonly message: string;
  readonly path: readonly (string | number)[];
}

/** Every finding of the recommended rules counts, whatever its severity. */
export async function lintWithSpectral(file: string): Promise<string[]> {
  const args = ['lint', '--ruleset', SPECTRAL_RULES, '--format', 'json', '--quiet', file];
  const { stdout, stderr } = await runTool('spectral', { folder: TOOLS_FOLDER, args });
  if (!stdout.trimStart().startsWith('[')) throw new Error(`spectral: ${stderr}${stdout}`);
  const findings = JSON.parse(stdout.slice(0, stdout.lastIndexOf(']') + 1)) as SpectralFinding[];
  return findings.map(({ code, message, path }) => `${path.join('.')}: ${message} (${code})`);
}

interface RedoclyFinding {
  readonly ruleId: string;
  readonly message: string;
  readonly location: readonly { readonly pointer?: string }[];
}

/** The same for Redocly's. */
export async function lintWithRedocly(file: string): Promise<string[]> {
  const args = ['lint', file, '--config', REDOCLY_RULES, '--format', 'json'];
  const { stdout, stderr } = await runTool('redocly', { folder: TOOLS_FOLDER, args });
  if (!stdout.trimStart().startsWith('{')) throw new Error(`redocly: ${stderr}${stdout}`);
  const { problems } = JSON.parse(stdout) as { problems: RedoclyFinding[] };
  return problems.map(
    ({ ruleId, message, location }) => `${location[0]?.pointer ?? ''}: ${message} (${ruleId})`,
  );
}
