import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../tools/folders.ts';
import { runTool } from '../tools/run-tool.ts';

const SCRIPTS = [
  'scripts/docker/build-images.mjs',
  'scripts/docker/check-images.mjs',
  'tests/e2e/src/main.ts',
];

/** Neither needs an engine: both end before anything is built or started. */
describe.each(SCRIPTS)('%s', (script) => {
  it('prints how it is used, and does nothing else', async () => {
    const run = await runTool(process.execPath, [join(ROOT, script), '--help']);
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
    expect(run.stdout).toMatch(/^Usage: /);
  });

  it('refuses an option that is not there, by its name', async () => {
    const run = await runTool(process.execPath, [join(ROOT, script), '--no-such-option']);
    expect(run).toMatchObject({ exitCode: 2, stdout: '' });
    expect(run.stderr).toContain('--no-such-option');
  });
});
