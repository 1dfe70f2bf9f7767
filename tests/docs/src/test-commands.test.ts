import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const FILES = globSync('{packages,apps,tests}/*/src/**/*.test.ts', { cwd: ROOT })
  .concat(globSync('{benchmarks,infra}/src/**/*.test.ts', { cwd: ROOT }))
  .sort();
/** What the end-to-end package's own program runs, on containers or on processes. */
const E2E_COMMAND = 'node src/main.ts';

/** Returns by folder the command that `turbo test` runs in it. */
function readCommands(): ReadonlyMap<string, string> {
  const manifests = globSync('{packages/*,apps/*,tests/*,benchmarks,infra}/package.json', {
    cwd: ROOT,
  });
  return new Map(
    manifests.flatMap((file): [string, string][] => {
      const { scripts } = JSON.parse(readFileSync(`${ROOT}/${file}`, 'utf8')) as {
        scripts?: { test?: string };
      };
      return scripts?.test === undefined
        ? []
        : [[file.slice(0, -'package.json'.length), scripts.test]];
    }),
  );
}

function isRunBy(file: string, folder: string, command: string): boolean {
  const filter = /^vitest run --root \S+ (\S+)$/.exec(command)?.[1];
  return filter === undefined
    ? command === E2E_COMMAND && folder === 'tests/e2e/' && file.startsWith(folder)
    : file.includes(filter);
}

describe('npm test, which is turbo test after the linters,', () => {
  test('runs every test file, in one package', () => {
    const commands = readCommands();
    for (const file of FILES) {
      const runners = [...commands].filter(([folder, command]) => isRunBy(file, folder, command));
      expect(
        runners.map(([folder]) => folder),
        file,
      ).toHaveLength(1);
    }
  });

  test('finds every test file in one project of vitest', () => {
    const listed = execFileSync('vitest', ['list', '--filesOnly', '--json'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const files = (JSON.parse(listed) as { file: string }[]).map(({ file }) =>
      relative(ROOT, file),
    );
    expect(files.sort()).toEqual(FILES);
  });

  test('is a step of pnpm verify', () => {
    const steps = readFileSync(`${ROOT}/scripts/verify.mjs`, 'utf8');
    expect(steps).toContain("'turbo', 'run', 'test'");
  });
});

describe('npm run test:fast', () => {
  test('ends when its time is up, with all that it started, and says last what it leaves out', () => {
    const args = [`${ROOT}/scripts/fast.mjs`, '--seconds', '0.001'];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const lines = stdout.trim().split('\n');
    expect(lines.at(-1)).toMatch(/^Left out: .*int, system, e2e, deploy.*"npm test" has them\.$/u);
    expect(lines.at(-2)).toMatch(/^Time was up after 0\.001 s for: .*types, pure tests\.$/u);
    expect(status).toBe(1);
  });

  test('is ended by a signal to it alone, with the step that runs, and begins no other', async () => {
    const child = spawn(process.execPath, [`${ROOT}/scripts/fast.mjs`], { cwd: ROOT });
    const texts: string[] = [];
    const begun = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        texts.push(chunk.toString());
        if (texts.join('').includes('──')) resolve();
      });
    });
    await begun;
    child.kill('SIGTERM');
    const [status] = await once(child, 'exit');
    expect(status).toBe(143);
    expect(texts.join('')).toContain('Ended by SIGTERM.');
    expect(texts.join('').match(/──/gu)).toHaveLength(1);
  });
});
