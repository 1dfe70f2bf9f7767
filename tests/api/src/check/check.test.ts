import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOCUMENT_FILE, RELEASED_FILE } from '../files.ts';
import { checkClientIsCurrent } from './check-client.ts';
import { findBreakingChanges } from './find-breaking-changes.ts';
import { findDrift } from './find-drift.ts';
import { lintWithRedocly, lintWithSpectral } from './lint-document.ts';

let folder: string;
let changedFile: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-check-'));
  changedFile = join(folder, 'changed.json');
  const document = JSON.parse(await readFile(DOCUMENT_FILE, 'utf8'));
  delete document.info.contact;
  delete document.paths['/customers'].get.summary;
  document.paths['/customers'].get.parameters.push({ in: 'query', name: 'q' });
  await writeFile(changedFile, JSON.stringify(document));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the OpenAPI document', () => {
  test('is clean under the recommended rules of Spectral', async () => {
    expect(await lintWithSpectral(DOCUMENT_FILE)).toEqual([]);
  });

  test('is clean under the recommended rules of Redocly', async () => {
    expect(await lintWithRedocly(DOCUMENT_FILE)).toEqual([]);
  });

  test('breaks no client of the released one', async () => {
    expect(await findBreakingChanges(RELEASED_FILE, DOCUMENT_FILE)).toEqual([]);
  });

  test('is what a running process serves', async () => {
    expect(await findDrift()).toEqual([]);
  });

  test('is what the client was generated from', async () => {
    expect(await checkClientIsCurrent()).toEqual([]);
  });
});

describe('the checks', () => {
  test('tell what the linters find', async () => {
    expect(await lintWithSpectral(changedFile)).toContainEqual(
      expect.stringContaining('info-contact'),
    );
    expect(await lintWithRedocly(changedFile)).toContainEqual(
      expect.stringContaining('operation-summary'),
    );
  });

  test('name what drifted, and the remedy', async () => {
    expect(await findDrift(changedFile)).toContainEqual(
      expect.stringMatching(/^\/info\/contact differs .* Run: pnpm --filter/),
    );
  });

  test('tell that the client is of another document', async () => {
    expect(await checkClientIsCurrent(changedFile)).toEqual([
      expect.stringContaining('pnpm --filter @tandem/customer-client generate'),
    ]);
  });
});
