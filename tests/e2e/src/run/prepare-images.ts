import { runCommand } from './run-command.ts';

const SCRIPT_MS_MAX = 30 * 60_000;
const GIT_MS_MAX = 20_000;
const TAG = 'e2e';
const PREVIOUS_TAG = 'e2e-previous';

/** An image could not be built; what was printed says why. */
export class ImagesMissing extends Error {}

/**
 * Builds and checks this version, and builds the one before; resolves to the variables that name their
 * tags.
 */
export async function prepareImages(root: string): Promise<Record<string, string>> {
  await build(root, ['--tag', TAG]);
  await runScript(root, 'check-images.mjs', ['--tag', TAG]);
  const previous = process.env['E2E_PREVIOUS_REF'] || (await findRelease(root));
  if (previous === undefined) {
    process.stdout.write('There is no release yet: the upgrade is from this version to itself.\n');
    return { E2E_TAG: TAG, E2E_PREVIOUS_TAG: TAG };
  }
  process.stdout.write(`The upgrade is from ${previous}.\n`);
  await build(root, ['--tag', PREVIOUS_TAG, '--ref', previous]);
  return { E2E_TAG: TAG, E2E_PREVIOUS_TAG: PREVIOUS_TAG };
}

async function build(root: string, args: readonly string[]): Promise<void> {
  await runScript(root, 'build-images.mjs', args).catch((error: Error) => {
    throw new ImagesMissing(error.message);
  });
}

async function runScript(root: string, name: string, args: readonly string[]): Promise<void> {
  const script = `scripts/docker/${name}`;
  const { exitCode } = await runCommand(process.execPath, [script, ...args], {
    cwd: root,
    isShown: true,
    timeoutMs: SCRIPT_MS_MAX,
  });
  if (exitCode !== 0) throw new Error(`${script} failed; what it printed is above.`);
}

/** The newest release that this commit comes after. */
async function findRelease(root: string): Promise<string | undefined> {
  const args = ['describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD~1'];
  const { exitCode, output } = await runCommand('git', args, { cwd: root, timeoutMs: GIT_MS_MAX });
  return exitCode === 0 ? output.trim() : undefined;
}
