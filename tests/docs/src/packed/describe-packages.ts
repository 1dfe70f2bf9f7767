// What must hold of each public package, asked of its tarball and of the folder into which all of them were installed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../guarantees-page.ts';
import {
  type Installed,
  type Manifest,
  newcomersEnvironment,
  publicFolders,
  readManifest,
  run,
} from './install-packed.ts';

/** What a package says beside its modules. */
const PAGES = ['CHANGELOG.md', 'FIDELITY.md', 'LICENSE', 'README.md', 'package.json'];
/** Packages are modules alone, so only who resolves modules is asked. */
const RESOLUTIONS_ASKED = ['node16-esm', 'bundler'];
/** Of the package that is called so, another major. */
const TYPEBOX_REFUSED = '0.0.1';
/** They send nothing later: on an older Node they work, or fail where they are called. */
const HARMLESS = ['@tandem/create', '@tandem/customer-client', '@tandem/service-kit/tokens'];
const RESOLVERS = [
  { module: 'nodenext' },
  { module: 'node16', skipLibCheck: true },
  { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true },
];

const entriesOf = ({ name, exports }: Manifest): readonly string[] =>
  Object.keys(exports).map((path) => `${name}${path.slice(1)}`);

function listTarball(tarball: string): readonly string[] {
  const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
  return listed
    .trim()
    .split('\n')
    .map((path) => path.replace('package/', ''));
}

/** Follows what entries import, in code and in types, and returns the modules that it finds without their extensions. */
function reachableModules(root: string, { exports, bin = {} }: Manifest): ReadonlySet<string> {
  const targets = Object.values(exports).flatMap((target) => Object.values(target as object));
  const open = [...targets, ...Object.values(bin)].map((path) => join('.', path as string));
  const seen = new Set<string>();
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    // What is not there is imported by a text alone, as that of a new project, or fails where it is compiled.
    if (seen.has(path) || !existsSync(join(root, path))) continue;
    seen.add(path);
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, to = ''] of text.matchAll(/(?:from|import|URL\()\s*\(?['"](\.[^'"]*)['"]/g)) {
      const target = join(path, '..', to).replace(/\.(?:js|ts)$/u, '');
      open.push(path.endsWith('.d.ts') ? `${target}.d.ts` : `${target}.js`);
    }
  }
  return new Set([...seen].map((path) => path.replace(/(?:\.d\.ts|\.js)$/u, '')));
}

export function describePackages(installed: () => Installed): void {
  const rootOf = (folder: string): string =>
    join(installed().folder, 'node_modules/@tandem', folder);
  const manifestOf = (folder: string): Manifest => readManifest(rootOf(folder));
  const allEntries = (): readonly string[] =>
    publicFolders().flatMap((folder) => entriesOf(manifestOf(folder)));

  describe.each(publicFolders())('the package %s', (folder) => {
    const tarballOf = (): string => installed().tarballs.get(folder) ?? '';

    test('says what it is, where it is from and what it needs', () => {
      const { repository } = readManifest(ROOT);
      const manifest = manifestOf(folder);
      expect(manifest).toMatchObject({
        license: 'MIT',
        type: 'module',
        engines: { node: '>=22.18' },
        repository: { type: 'git', url: repository?.url, directory: `packages/${folder}` },
        publishConfig: { access: 'public' },
      });
      expect(manifest).toHaveProperty('sideEffects');
      expect(manifest.keywords?.length).toBeGreaterThan(4);
      const { dependencies = {}, peerDependencies = {} } = manifest;
      const needed = { ...dependencies, ...peerDependencies };
      for (const [name, range] of Object.entries(needed)) expect(range, name).toMatch(/^\^?\d/u);
      const own = Object.keys(needed).filter((name) => name.startsWith('@tandem/'));
      expect(publicFolders()).toEqual(expect.arrayContaining(own.map((name) => basename(name))));
    });

    test('holds its pages, and no module that no entry leads to', () => {
      const files = listTarball(tarballOf());
      const modules = reachableModules(rootOf(folder), manifestOf(folder));
      const pages = files.filter((path) => !path.startsWith('dist/'));
      expect(PAGES).toEqual(expect.arrayContaining(pages));
      expect(pages).toEqual(
        expect.arrayContaining(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']),
      );
      const dead = files.filter(
        (path) => path.startsWith('dist/') && !modules.has(path.replace(/(?:\.d\.ts|\.js)$/u, '')),
      );
      expect(dead).toEqual([]);
    });

    test('is taken by publint and by those who resolve modules and types', async () => {
      const data = new Uint8Array(readFileSync(tarballOf()));
      const { messages } = await publint({ pack: { tarball: data.buffer } });
      expect(messages).toEqual([]);
      const result = await checkPackage(createPackageFromTarballData(data));
      expect(result.types).not.toBe(false);
      const problems = 'problems' in result ? result.problems : [];
      const asked = problems.filter(
        (problem) =>
          !('resolutionKind' in problem) || RESOLUTIONS_ASKED.includes(problem.resolutionKind),
      );
      expect(asked).toEqual([]);
    });
  });

  test('come with a bill of materials, which a release makes', () => {
    const { folder, components } = installed();
    const path = join(folder, 'sbom.cdx.json');
    const bill = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>;
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX' });
    const { components: listed } = bill as { readonly components: readonly { name: string }[] };
    expect(listed).toHaveLength(components);
    const names = listed.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['@tandem/region', '@azure/data-tables', 'rhea']));
  });

  test.each(RESOLVERS)('compile strictly, examples and all, with %o', async (resolver) => {
    const { folder } = installed();
    const imports = allEntries().map((entry, index) => `import * as e${index} from '${entry}';`);
    const used = `export const entries = [${imports.map((_, index) => `e${index}`).join(', ')}];`;
    writeFileSync(join(folder, 'entries.ts'), [...imports, used].join('\n'));
    const config = {
      compilerOptions: {
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        target: 'es2024',
        types: ['node'],
        typeRoots: [`${ROOT}/node_modules/@types`],
        ...resolver,
      },
      files: ['entries.ts', 'orders.ts'],
    };
    const path = join(folder, `tsconfig.${resolver.moduleResolution ?? resolver.module}.json`);
    writeFileSync(path, JSON.stringify(config));
    await run(`${ROOT}/node_modules/.bin/tsc`, ['-p', path]);
  });

  /** Imports each of them in one process, and returns a line for each. */
  async function importAll(node: string, entries: readonly string[]): Promise<readonly string[]> {
    const script = `for (const entry of ${JSON.stringify(entries)}) await import(entry).then(
      () => console.log(entry + ': imported'), (error) => console.log(entry + ': ' + error.message));`;
    const args = ['--input-type=module', '-e', script];
    const { stdout } = await run(node, args, { cwd: installed().folder });
    return stdout.trim().split('\n');
  }

  test('are imported by the oldest Node that they name, and by this one', async () => {
    const imported = allEntries().map((entry) => `${entry}: imported`);
    expect(await importAll(installed().nodes.oldest, allEntries())).toEqual(imported);
    expect(await importAll(process.execPath, allEntries())).toEqual(imported);
  });

  test('bring the peer that was forgotten; one of another major is refused by name, and so is one that was left out', async () => {
    const { tarballs } = installed();
    // Below no folder that has the peer.
    const there = mkdtempSync(join(tmpdir(), 'tandem-peers-'));
    onTestFinished(() => rmSync(there, { recursive: true }));
    mkdirSync(join(there, 'node_modules/@tandem/core'), { recursive: true });
    writeFileSync(join(there, 'package.json'), '{"name":"forgetful","private":true}');
    const core = tarballs.get('core') ?? '';
    const npm = ['install', '--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline'];
    const here = { cwd: there, env: newcomersEnvironment() };
    await expect(run('npm', [...npm, core, `typebox@${TYPEBOX_REFUSED}`], here)).rejects.toThrow(
      /ERESOLVE[\s\S]*peer typebox@"\^1/u,
    );
    await run('npm', [...npm, core], here);
    const lock = readFileSync(join(there, 'package-lock.json'), 'utf8');
    expect(JSON.parse(lock)).toHaveProperty(['packages', 'node_modules/typebox', 'version']);
    const into = join(there, 'node_modules/@tandem/core');
    execFileSync('tar', ['-xzf', core, '--strip-components=1', '-C', into]);
    const asked = ['--input-type=module', '-e', "await import('@tandem/core')"];
    await expect(run(process.execPath, asked, here)).rejects.toThrow(
      "Cannot find package 'typebox'",
    );
  });

  test('F6: refuse a Node that is too old, each entry by name', async () => {
    const { nodes } = installed();
    const entries = allEntries().filter((entry) => !HARMLESS.includes(entry));
    for (const line of await importAll(nodes.refused, entries)) {
      expect(line).toMatch(
        /needs Node 22\.18 or newer and this is Node 20\.20\.2: install a newer/u,
      );
    }
    const bin = join(installed().folder, 'node_modules/.bin/servicebus-emulator');
    await expect(run(nodes.refused, [bin])).rejects.toThrow('needs Node 22.18 or newer');
    expect((await run(nodes.oldest, [bin, '--help'])).stdout).toContain('--queues');
  });
}
