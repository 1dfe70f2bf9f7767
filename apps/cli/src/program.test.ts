import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findInventory } from './inventory/find-inventory.ts';
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

  test('says where it looked for an inventory', async () => {
    const nowhere = { environment: {}, folder: '/nowhere' };
    await expect(findInventory(nowhere, undefined)).rejects.toThrow('tandem.regions.json');
    await expect(findInventory(nowhere, 'elsewhere.json')).rejects.toThrow('elsewhere.json');
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
