import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Cluster, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atPorts, readShownCommands, toPattern } from './shown-commands.ts';

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

const DEADLINE_MS = 60_000;
const run = promisify(execFile);

async function outputOf(command: string): Promise<string> {
  const { stdout } = await run('bash', ['-c', command], { timeout: DEADLINE_MS });
  return stdout.replaceAll('\r', '');
}

describe('the README', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });

  afterAll(() => cluster?.stop());

  const session = readShownCommands(README, 'console');

  test('shows a session', () => expect(session.length).toBeGreaterThanOrEqual(5));

  test.each(session)('$command', async ({ command, output }) => {
    const here = atPorts(command, cluster.portBase);
    const pattern = toPattern(output);
    const endMs = Date.now() + DEADLINE_MS;
    // A person types more slowly than a change travels; a test does not.
    let seen = await outputOf(here);
    while (!pattern.test(seen) && Date.now() < endMs) seen = await outputOf(here);
    expect(seen).toMatch(pattern);
  });

  test('names only scripts and files that exist', () => {
    const { scripts } = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    ) as { scripts: Record<string, string> };
    for (const [, script] of README.matchAll(/(?:npm run|pnpm) ([a-z0-9:]+)/g)) {
      expect(Object.keys(scripts)).toContain(script);
    }
    for (const [, path] of README.matchAll(/\]\((?!http)([^)#]+)/g)) {
      expect(() => readFileSync(new URL(`../../../${path}`, import.meta.url))).not.toThrow(
        /ENOENT/,
      );
    }
  });
});
