import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openBoundedLog, TAIL_LINES_MAX } from './local-process.ts';

async function logFile(): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { folder, file: join(folder, 'a.log') };
}

it('a log never fills more than two files of its bound', async () => {
  const { folder, file } = await logFile();
  const log = openBoundedLog(file, 100);
  for (let line = 0; line < 50; line += 1) log.write(Buffer.from(`line ${line} of many\n`));
  log.close();
  expect((await readdir(folder)).toSorted()).toEqual(['a.log', 'a.log.1']);
  for (const name of ['a.log', 'a.log.1']) {
    expect((await readFile(join(folder, name))).length).toBeLessThanOrEqual(100);
  }
  expect(await readFile(file, 'utf8')).toMatch(/line 49 of many\n$/);
});

it('a log of a new run keeps the one of the run before', async () => {
  const { file } = await logFile();
  for (const text of ['first', 'second']) {
    const log = openBoundedLog(file);
    log.write(Buffer.from(text));
    log.close();
  }
  expect(await readFile(file, 'utf8')).toBe('second');
  expect(await readFile(`${file}.1`, 'utf8')).toBe('first');
});

it('a log remembers its last lines, also after it was closed', async () => {
  const { file } = await logFile();
  const log = openBoundedLog(file);
  for (let line = 0; line < 100; line += 1) log.write(Buffer.from(`${line}\n`));
  log.close();
  log.write(Buffer.from('too late\n'));
  expect(log.lastLines()).toHaveLength(TAIL_LINES_MAX);
  expect(log.lastLines().at(-1)).toBe('99');
});
