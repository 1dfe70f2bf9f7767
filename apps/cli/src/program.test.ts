import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findInventory } from './inventory/inventory.ts';
import { createCliHarness } from './testing/cli-harness.ts';

const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function saved(bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-inventory-'));
  folders.push(folder);
  const file = join(folder, 'tandem.regions.json');
  await writeFile(file, bytes);
  return file;
}

describe('the program', () => {
  test('refuses options that it does not know, and prints its help', async () => {
    const { runWith } = await createCliHarness();
    const unknown = await runWith({}, 'verify', '--bogus');
    expect(unknown).toMatchObject({ code: 2, out: '' });
    expect(unknown.err).toContain('--bogus');
    expect(await runWith({}, 'nonsense')).toMatchObject({ code: 2 });
    const help = await runWith({}, '--help');
    expect(help.code).toBe(0);
    expect(help.out).toContain('Exit codes');
  });

  test.each([
    ['that is not JSON', { TANDEM_REGIONS: '{"version":1,' }, 'not JSON'],
    [
      'with an unknown key',
      { TANDEM_REGIONS: '{"version":1,"regions":[{"nam":"x"}]}' },
      'regions/0',
    ],
    [
      'with a variable that is not set',
      { TANDEM_REGIONS: '{"version":1,"regions":[{"name":"east","storage":"env:EAST"}]}' },
      'EAST',
    ],
    [
      'that names a region twice',
      {
        TANDEM_REGIONS:
          '{"version":1,"regions":[{"name":"east","storage":"a"},{"name":"east","storage":"b"}]}',
      },
      'twice',
    ],
  ])('refuses an inventory %s', async (_, environment, text) => {
    const { runWith } = await createCliHarness();
    const { code, err } = await runWith({ environment }, 'verify');
    expect({ code, names: err.includes(text) }).toEqual({ code: 2, names: true });
  });

  test.each([
    ['UTF-8 with a mark', (text: string) => Buffer.from(`\uFEFF${text}`)],
    ['UTF-16, little end first', (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16, big end first', (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()],
  ])('B8: reads an inventory that was saved as %s', async (_, encode) => {
    const { inventory } = await createCliHarness();
    const file = await saved(encode(inventory));
    const { regions } = await findInventory({ environment: {}, folder: '/' }, file);
    expect(regions.map(({ name }) => name)).toEqual(['east', 'west']);
  });

  test.each([
    ['UTF-16 without a mark', (text: string) => Buffer.from(text, 'utf16le')],
    ['Latin-1', () => Buffer.from('{"version":1,"regions":[{"name":"é', 'latin1')],
  ])('B8: names an inventory that was saved as %s', async (_, encode) => {
    const { inventory } = await createCliHarness();
    const file = await saved(encode(inventory));
    await expect(findInventory({ environment: {}, folder: '/' }, file)).rejects.toThrow(
      `${file} is not UTF-8`,
    );
  });

  test('B8: reads an inventory with a mark from its variable', async () => {
    const { inventory } = await createCliHarness();
    const environment = { TANDEM_REGIONS: `\uFEFF${inventory}` };
    const { regions } = await findInventory({ environment, folder: '/' }, undefined);
    expect(regions).toHaveLength(2);
  });

  test('takes the inventory that is named, else that of the variable, else the first that is there', async () => {
    const of = (name: string) =>
      Buffer.from(`{"version":1,"regions":[{"name":"${name}","storage":"a"}]}`);
    const [named, there] = [await saved(of('named')), await saved(of('there'))];
    const environment = { TANDEM_REGIONS: named };
    const nameIn = async (at: Parameters<typeof findInventory>[0], file?: string) =>
      (await findInventory(at, file)).regions[0]?.name;
    const folder = dirname(there);
    expect(await nameIn({ environment, folder }, there)).toBe('there');
    expect(await nameIn({ environment, folder })).toBe('named');
    expect(await nameIn({ environment: {}, folder })).toBe('there');
    expect(await nameIn({ environment: { TANDEM_REGIONS: '' }, folder })).toBe('there');
    const inline = ` \n${of('inline').toString()}`;
    expect(await nameIn({ environment: { TANDEM_REGIONS: inline }, folder })).toBe('inline');
    const started = await mkdtemp(join(tmpdir(), 'tandem-inventory-'));
    folders.push(started);
    await mkdir(join(started, '.tandem'));
    await writeFile(join(started, '.tandem', 'tandem.regions.json'), of('started'));
    expect(await nameIn({ environment: {}, folder: started })).toBe('started');
    await expect(nameIn({ environment: {}, folder }, started)).rejects.toThrow('EISDIR');
  });

  test('reads of an inventory what stands in variables, and shows none of it', async () => {
    const regions = [
      { name: 'east', storage: 'env:EAST_STORAGE', serviceBus: 'xenv:EAST', api: 'http://e' },
    ];
    const text = JSON.stringify({ version: 1, regions });
    const find = (more: Readonly<Record<string, string>>) =>
      findInventory({ environment: { TANDEM_REGIONS: text, ...more }, folder: '/' }, undefined);
    expect((await find({ EAST_STORAGE: 'a secret' })).regions).toEqual([
      { ...regions[0], storage: 'a secret' },
    ]);
    await expect(find({ EAST_STORAGE: '' })).rejects.toThrow(
      'TANDEM_REGIONS: storage of east is in the variable EAST_STORAGE, which is not set.',
    );
    // D2: as people paste them.
    const expected = { storage: 'a secret', serviceBus: 'xenv:EAST', api: 'http://e' };
    for (const pasted of ['“a secret”\r\n', " 'a secret'", '\u200Ba secret\uFEFF']) {
      expect((await find({ EAST_STORAGE: pasted })).regions).toMatchObject([expected]);
      const inline = JSON.stringify({ version: 1, regions: [{ name: 'east', storage: pasted }] });
      const read = await findInventory(
        { environment: { TANDEM_REGIONS: inline }, folder: '/' },
        undefined,
      );
      expect(read.regions).toEqual([{ name: 'east', storage: 'a secret' }]);
    }
    await expect(find({ EAST_STORAGE: 'a\u200Bsecret' })).rejects.toThrow(
      'TANDEM_REGIONS: storage of east is in the variable EAST_STORAGE, which holds a character that nobody sees, U+200B, at place 2.',
    );
    const broken = findInventory({ environment: {}, folder: '/' }, '{"AccountKey=secret');
    await expect(broken).rejects.toThrow(/^TANDEM_REGIONS is not JSON\.$/);
  });

  test('says where it looked for an inventory', async () => {
    const nowhere = { environment: {}, folder: '/nowhere' };
    await expect(findInventory(nowhere, undefined)).rejects.toThrow('tandem.regions.json');
    await expect(findInventory(nowhere, 'elsewhere.json')).rejects.toThrow('elsewhere.json');
  });

  test.each([
    ['verify', 'extra'],
    ['conflicts', 'list', '--region', 'west', 'extra'],
    ['verify', '-h'],
    ['conflicts', 'list', '-h'],
  ])('refuses what a command does not take, in one line: %s %s', async (...args) => {
    const { runWith } = await createCliHarness();
    const { code, out, err } = await runWith({}, ...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^error: [^\n]+\n$/);
  });

  test('writes JSON for who asks for it alone', async () => {
    const { run, runWith } = await createCliHarness();
    expect((await run('config', 'check', '--region', 'west')).out).toMatch(/^\{/);
    const { out } = await runWith({}, 'config', 'check', '--region', 'west');
    expect(out).toBe('The settings of west are well.\n');
  });

  test('a bug is thrown on, and is no wrong usage', async () => {
    const { runWith } = await createCliHarness();
    const openStore = (): never => {
      throw new Error('a bug');
    };
    await expect(runWith({ openStore }, 'status')).rejects.toThrow('a bug');
  });

  test('shows progress on a terminal, and none in a pipe', async () => {
    const { runWith, regions } = await createCliHarness();
    await regions.east.table.put('00b479c9-f61f-451a-86d2-ee8cc047c181', {
      email: 'a@example.com',
    });
    await regions.settle();
    const onTerminal = await runWith({ isTerminal: true }, 'verify');
    expect(onTerminal.err).toContain('rows read');
    expect((await runWith({}, 'verify')).err).toBe('');
  });
});
