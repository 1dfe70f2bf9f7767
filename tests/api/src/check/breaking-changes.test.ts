import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RELEASED_FILE } from '../files.ts';
import { findBreakingChanges } from './find-breaking-changes.ts';
import { BREAKING, COMPATIBLE, type SeededChange } from './testing/seeded-changes.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-breaking-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function seeded({ change }: Pick<SeededChange, 'change'>, name: string): Promise<string> {
  const document = JSON.parse(await readFile(RELEASED_FILE, 'utf8'));
  const before = JSON.stringify(document);
  change(document);
  expect(JSON.stringify(document)).not.toBe(before);
  const file = join(folder, name);
  await writeFile(file, JSON.stringify(document));
  return file;
}

describe('a change of the document that breaks clients', () => {
  test.concurrent.each(BREAKING)('$what is refused with a message', async (one) => {
    const file = await seeded(one, `${BREAKING.indexOf(one)}-breaking.json`);
    const [message] = await findBreakingChanges(RELEASED_FILE, file);
    expect(message).toMatch(one.message);
  });
});

describe('a change of the document that old clients need not know of', () => {
  test.concurrent.each(COMPATIBLE)('$what passes', async (one) => {
    const file = await seeded(one, `${COMPATIBLE.indexOf(one)}-compatible.json`);
    expect(await findBreakingChanges(RELEASED_FILE, file)).toEqual([]);
  });
});
