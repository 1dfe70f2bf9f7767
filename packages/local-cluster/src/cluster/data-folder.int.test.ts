import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTemporaryFolder, openDataFolder, removeDataFolder } from './data-folder.ts';

const REGIONS = ['east', 'west'];
const NOBODY = 65_534;

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function claimFor(folder: string, pid: number | undefined): Promise<void> {
  await writeFile(join(folder, 'tandem.json'), JSON.stringify({ version: 1, pid }));
}

describe('the data folder', () => {
  it('can be opened again once it is released', async () => {
    const folder = join(await scratchFolder(), 'new');
    const first = await openDataFolder(folder, REGIONS);
    await writeFile(join(first.path, 'kept'), '');
    await first.release();
    const second = await openDataFolder(folder, REGIONS);
    expect(existsSync(join(second.path, 'kept'))).toBe(true);
  });

  it('is refused while the cluster of another process uses it', async () => {
    const folder = await scratchFolder();
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    onTestFinished(() => void other.kill('SIGKILL'));
    await once(other, 'spawn');
    await claimFor(folder, other.pid);
    const refusal = { code: 'DATA_IN_USE', message: expect.stringContaining(`${other.pid}`) };
    await expect(openDataFolder(folder, REGIONS)).rejects.toMatchObject(refusal);
    await expect(removeDataFolder(folder)).rejects.toMatchObject(refusal);
  });

  it('is refused to other regions than those whose data it has, which it names', async () => {
    const folder = await scratchFolder();
    await (await openDataFolder(folder, REGIONS)).release();
    for (const others of [['east'], ['east', 'north'], ['east', 'west', 'north']]) {
      await expect(openDataFolder(folder, others)).rejects.toMatchObject({
        code: 'OPTIONS_INVALID',
        message: expect.stringContaining('is of the regions east, west, not of east'),
      });
    }
    await expect(openDataFolder(folder, REGIONS.toReversed())).resolves.toBeDefined();
  });

  it('is of east and west when an earlier version has left it, which did not say', async () => {
    const folder = await scratchFolder();
    await claimFor(folder, undefined);
    await expect(openDataFolder(folder, ['east', 'west', 'north'])).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
    });
    await expect(openDataFolder(folder, REGIONS)).resolves.toBeDefined();
  });

  it('is taken over from a process that is gone', async () => {
    const folder = await scratchFolder();
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    await claimFor(folder, gone.pid);
    await expect(openDataFolder(folder, REGIONS)).resolves.toMatchObject({ path: folder });
  });

  it('is taken over when its record was cut short', async () => {
    const folder = await scratchFolder();
    await writeFile(join(folder, 'tandem.json'), '{"ver');
    await expect(openDataFolder(folder, REGIONS)).resolves.toMatchObject({ path: folder });
  });

  it('is neither used nor removed when its contents are something else', async () => {
    const folder = await scratchFolder();
    await writeFile(join(folder, 'thesis.txt'), 'years of work');
    await expect(openDataFolder(folder, REGIONS)).rejects.toMatchObject({ code: 'DATA_FOREIGN' });
    await expect(removeDataFolder(folder)).rejects.toMatchObject({ code: 'DATA_FOREIGN' });
    expect(existsSync(join(folder, 'thesis.txt'))).toBe(true);
  });

  it('is refused by name where this user may not write, and where a file is in its way', async () => {
    const folder = await scratchFolder();
    await writeFile(join(folder, 'file'), '');
    const refusalOf = (path: string) => ({
      code: 'DATA_UNUSABLE',
      message: expect.stringMatching(`${path} cannot be written .*--data`),
    });
    const below = join(folder, 'file', 'data');
    await expect(openDataFolder(below, REGIONS)).rejects.toMatchObject(refusalOf(below));
    // Such a file system says of a new folder that there is none above it.
    const nowhere = '/proc/no/folder';
    await expect(openDataFolder(nowhere, REGIONS)).rejects.toMatchObject(refusalOf(nowhere));
    await chmod(folder, 0o555);
    // The rights of root have no bounds, so whoever runs this as root is somebody else for a moment.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      const path = join(folder, 'data');
      await expect(openDataFolder(path, REGIONS)).rejects.toMatchObject(refusalOf(path));
    } finally {
      if (isRoot) process.seteuid?.(0);
      await chmod(folder, 0o755);
    }
  });

  it('G4: is for its owner alone, also when an earlier version left it open', async () => {
    const folder = join(await scratchFolder(), 'deep', 'data');
    await (await openDataFolder(folder, REGIONS)).release();
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await modeOf(folder)).toBe(0o700);
    expect(await modeOf(join(folder, 'tandem.json'))).toBe(0o600);
    await chmod(folder, 0o755);
    await mkdir(join(folder, 'east'), { mode: 0o755 });
    await (await openDataFolder(folder, REGIONS)).release();
    expect(await modeOf(folder)).toBe(0o700);
  });

  it('is gone after its removal, and removing it again does nothing', async () => {
    const folder = join(await scratchFolder(), 'data');
    await (await openDataFolder(folder, REGIONS)).release();
    await removeDataFolder(folder);
    await removeDataFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    [false, 'removed'],
    [true, 'left'],
  ])('when temporary and kept is %s, is %s at the end', async (isKept) => {
    const folder = await createTemporaryFolder(REGIONS, isKept);
    onTestFinished(() => rm(folder.path, { recursive: true, force: true }));
    expect(existsSync(folder.logs)).toBe(true);
    await folder.release();
    expect(existsSync(folder.path)).toBe(isKept);
  });
});
