import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readCustomerFile } from './read-customer-file.ts';

async function scratchFile(content: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'customers.json');
  await writeFile(file, content);
  return file;
}

async function problemOf(file: string): Promise<string | undefined> {
  const parsed = await readCustomerFile(file);
  return parsed.kind === 'problem' ? parsed.problem : undefined;
}

it('reads a file with a byte-order mark', async () => {
  const file = await scratchFile('\uFEFF[{"Email":"zoë@example.com"}]');
  const parsed = await readCustomerFile(file);
  expect(parsed).toMatchObject({ customers: [{ fields: { email: 'zoë@example.com' } }] });
});

it('names the file in every problem', async () => {
  const file = await scratchFile('{}');
  expect(await problemOf(file)).toBe(
    `The file ${file} cannot be used: it must be a JSON array of customers.`,
  );
  expect(await problemOf(`${file}.gone`)).toBe(
    `The file ${file}.gone cannot be used: there is no such file.`,
  );
  expect(await problemOf(tmpdir())).toBe(`The file ${tmpdir()} cannot be used: it is a folder.`);
});

it('refuses what is not UTF-8', async () => {
  const file = await scratchFile(Buffer.from('[{"Email":"zo\xeb@example.com"}]', 'latin1'));
  expect(await problemOf(file)).toContain('it is not UTF-8');
});
