// What stands between a package and its tarball, run in a package of its own.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../guarantees-page.ts';
import { run } from './install-packed.ts';

const BUILT = { types: './dist/index.d.ts', default: './dist/index.js' };

export function describePrepack(): void {
  describe('packing', () => {
    let root: string;

    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'tandem-prepack-'));
      mkdirSync(join(root, 'src'));
      cpSync(`${ROOT}/tsconfig.base.json`, join(root, 'tsconfig.base.json'));
      const compilerOptions = { rootDir: 'src', outDir: 'dist', types: [] };
      const config = { extends: './tsconfig.base.json', compilerOptions, include: ['src'] };
      writeFileSync(join(root, 'tsconfig.json'), JSON.stringify(config));
      writeFileSync(join(root, 'src/index.ts'), 'export const answer: number = 42;\n');
      writeManifest({ '.': BUILT });
    });

    afterEach(() => rmSync(root, { recursive: true, force: true }));

    function writeManifest(exports: Readonly<Record<string, unknown>>): void {
      const manifest = { name: 'one', type: 'module', publishConfig: { exports } };
      const source = { ...manifest, exports: { '.': './src/index.ts' } };
      writeFileSync(join(root, 'package.json'), JSON.stringify(source));
    }

    const prepack = (agent = 'pnpm/12.0.0') =>
      run(process.execPath, [`${ROOT}/scripts/prepack.mjs`], {
        cwd: root,
        env: { ...process.env, npm_config_user_agent: agent },
      });

    test('builds what was never built, and again what was deleted since', async () => {
      await prepack();
      expect(existsSync(join(root, 'dist/index.d.ts'))).toBe(true);
      rmSync(join(root, 'dist/index.js'));
      await prepack();
      expect(existsSync(join(root, 'dist/index.js'))).toBe(true);
    });

    test('leaves out what was built from a source that is gone', async () => {
      writeFileSync(join(root, 'src/gone.ts'), 'export const gone: boolean = true;\n');
      await prepack();
      rmSync(join(root, 'src/gone.ts'));
      await prepack();
      expect(existsSync(join(root, 'dist/gone.js'))).toBe(false);
    });

    test('builds the neighbour that it needs first, and fails where that one does not compile', async () => {
      const base = { extends: '../tsconfig.base.json', include: ['src'] };
      const compilerOptions = { rootDir: 'src', outDir: 'dist', types: [], composite: true };
      mkdirSync(join(root, 'near/src'), { recursive: true });
      writeFileSync(join(root, 'near/tsconfig.json'), JSON.stringify({ ...base, compilerOptions }));
      writeFileSync(join(root, 'near/src/index.ts'), 'export const half: number = 21;\n');
      const path = join(root, 'tsconfig.json');
      const config = JSON.parse(readFileSync(path, 'utf8')) as object;
      writeFileSync(path, JSON.stringify({ ...config, references: [{ path: './near' }] }));
      await prepack();
      expect(existsSync(join(root, 'near/dist/index.d.ts'))).toBe(true);
      writeFileSync(join(root, 'near/src/index.ts'), 'export const half: number = "21";\n');
      await expect(prepack()).rejects.toThrow('one does not build, so it cannot be packed');
    });

    test('of a release says so where it may not write', async () => {
      const out = join(root, 'tsconfig.json/out');
      await expect(
        run(process.execPath, [`${ROOT}/scripts/release.mjs`, '--out', out]),
      ).rejects.toThrow(`${out} cannot be written by this user (ENOTDIR): name another folder`);
    });

    test('fails where it does not compile', async () => {
      writeFileSync(join(root, 'src/index.ts'), 'export const answer: number = "42";\n');
      await expect(prepack()).rejects.toThrow('one does not build, so it cannot be packed');
    });

    test('fails where an entry is promised that is not built', async () => {
      writeManifest({ '.': { ...BUILT, default: './dist/main.js' } });
      await expect(prepack()).rejects.toThrow('names nothing that is built for ./dist/main.js');
      writeManifest({});
      await expect(prepack()).rejects.toThrow('names nothing that is built for .');
    });

    test('is left to pnpm, which writes versions into the manifest', async () => {
      await expect(prepack('npm/11.0.0 node/v24')).rejects.toThrow('Pack one with "pnpm pack"');
    });
  });
}
