import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { documentedFolders, renderApiReference } from './api-reference.ts';
import { ROOT } from './guarantees-page.ts';

describe('API.md of each package', () => {
  beforeAll(() => {
    const folders = documentedFolders().map((folder) => `${ROOT}/packages/${folder}`);
    execFileSync(`${ROOT}/node_modules/.bin/tsc`, ['-b', ...folders]);
  }, 600_000);

  test.each(documentedFolders())('says what %s exports: pnpm docs:api', (folder) => {
    const page = readFileSync(`${ROOT}/packages/${folder}/API.md`, 'utf8');
    expect(page).toBe(renderApiReference(folder));
  });

  test('has each name that an entry lists, with its comment and its whole signature', () => {
    const page = renderApiReference('region');
    const entry = readFileSync(`${ROOT}/packages/region/src/index.ts`, 'utf8');
    const listed = [...entry.matchAll(/^export (?:type )?\{([^}]*)\}/gmu)].flatMap(
      ([, names = '']) => names.split(',').map((name) => name.trim().replace(/^type /u, '')),
    );
    for (const name of listed.filter((one) => one !== '')) {
      expect(page).toMatch(new RegExp(`^export .*\\b${name}\\b`, 'mu'));
    }
    expect(page).toContain('How long a call may wait');
    expect(page).toMatch(/^export declare function openRegion<[^]*?Promise<Region<T>>;$/mu);
  });
});
