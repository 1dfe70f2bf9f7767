// What `npm start` fetches where nothing was ever installed: enough for two regions, and nothing that only develops them.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const PACKAGES_MAX = 600;
const MIB_MAX = 600;
const INSTALL_MS_MAX = 600_000;
/** Linters, compilers, test runners, generators, infrastructure, clients of clusters. */
const DEVELOPS =
  /^(?:@biomejs|@pulumi|@stryker|@aws-cdk|@kubernetes|typescript@|vitest@|turbo@|knip@|oxlint|orval|testcontainers)/u;
/** All that says which packages are installed, and what installs them. */
const DECIDES = [
  'package.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'scripts/pnpm.mjs',
  ...globSync(
    ['{apps,packages,tests,examples}/*/package.json', '{benchmarks,infra}/package.json'],
    {
      cwd: ROOT,
    },
  ),
];

const packagesOf = (folder: string): readonly string[] =>
  readdirSync(`${folder}/node_modules/.pnpm`);

function runSmall(cwd: string, given: NodeJS.ProcessEnv = {}): string {
  const strange = /^(?:npm_|pnpm_config_verify)/iu;
  const own = Object.entries(process.env).filter(([name]) => !strange.test(name));
  const env = { ...Object.fromEntries(own), pnpm_config_prefer_offline: 'true', ...given };
  const args = ['scripts/pnpm.mjs', '--small', 'exec', 'node', '-p', 'process.version'];
  return execFileSync(process.execPath, args, { cwd, env, encoding: 'utf8' });
}

describe('the first start of a clone', () => {
  let clone: string;

  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'tandem-clone-'));
    for (const path of DECIDES) cpSync(`${ROOT}/${path}`, join(clone, path), { recursive: true });
    expect(runSmall(clone, { pnpm_config_cache_dir: join(clone, 'cache') })).toContain('v24.');
  }, INSTALL_MS_MAX);

  afterAll(() => rmSync(clone, { recursive: true, force: true }));

  test(`fetches at most ${PACKAGES_MAX} packages and ${MIB_MAX} MiB, none of which only develops`, () => {
    const packages = packagesOf(clone);
    expect(packages.length).toBeLessThanOrEqual(PACKAGES_MAX);
    expect(packages.filter((name) => DEVELOPS.test(name))).toEqual([]);
    const told = execFileSync('du', ['-sk', 'node_modules'], { cwd: clone, encoding: 'utf8' });
    expect(Number.parseInt(told, 10) / 1_024).toBeLessThanOrEqual(MIB_MAX);
  });

  test('asks the registry about no package, which took most of the time', () => {
    expect(globSync('cache/**/*.jsonl', { cwd: clone })).toEqual([]);
  });

  test('has what regions run on', () => {
    const names = packagesOf(clone).join('\n');
    for (const name of ['azurite@', 'fastify@', 'rhea@', 'lmdb@', '@azure+data-tables@']) {
      expect(names).toContain(name);
    }
  });

  test('takes nothing away where everything is installed', () => {
    const before = packagesOf(ROOT);
    expect(runSmall(ROOT)).toContain('v24.');
    expect(packagesOf(ROOT)).toEqual(before);
    expect(existsSync(`${ROOT}/node_modules/.bin/biome`)).toBe(true);
  });
});

describe.each([
  { platform: 'linux', arch: 'x64', version: '18.20.8', needed: 20 },
  { platform: 'darwin', arch: 'arm64', version: '22.23.1', needed: 24 },
])('F6: on $platform with Node $version', ({ platform, arch, version, needed }) => {
  test('the first command of all says which Node it needs', () => {
    const pretended = `const { versions } = process;
      Object.defineProperty(process, 'versions', { value: { ...versions, node: '${version}' } });
      Object.defineProperty(process, 'platform', { value: '${platform}' });
      Object.defineProperty(process, 'arch', { value: '${arch}' });`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${pretended}`, `${ROOT}/scripts/pnpm.mjs`, 'run', 'dev'],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe(
      `Node ${needed} or newer is needed and this is Node ${version}: install a newer one from https://nodejs.org.\n`,
    );
    expect(status).toBe(1);
  });
});
