import { readFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Behaviour, isAlive, sampleProgram, scratchFile } from '../testing/start-sample.ts';
import { createLocalProcess, type LocalProcess } from './local-process.ts';

async function createSample(
  behaviour: Behaviour,
): Promise<{ sample: LocalProcess; ends: string[] }> {
  const ends: string[] = [];
  const sample = createLocalProcess({
    program: sampleProgram(behaviour),
    logFile: await scratchFile('sample.log'),
    onUnexpectedEnd: (_end, message) => ends.push(message),
  });
  onTestFinished(() => sample.kill());
  return { sample, ends };
}

function pidOf({ pid }: LocalProcess): number {
  if (pid === undefined) throw new Error('It does not run.');
  return pid;
}

/** `T` for a process that is stopped by a signal. */
async function stateOf(pid: number): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return /^State:\s+(\w)/m.exec(status)?.[1];
}

describe('a local process', () => {
  it('stops in order, and can be stopped twice', async () => {
    const { sample, ends } = await createSample('run');
    await sample.start();
    const pid = pidOf(sample);
    expect(await Promise.all([sample.stop(), sample.stop()])).toEqual(['stopped', 'stopped']);
    expect(isAlive(pid)).toBe(false);
    expect(sample.pid).toBeUndefined();
    expect(await sample.stop()).toBe('stopped');
    expect(await readFile(sample.logFile, 'utf8')).toContain('stopping in order');
    expect(ends).toEqual([]);
  });

  it('can be started again, and starting it twice makes one process', async () => {
    const { sample } = await createSample('run');
    await Promise.all([sample.start(), sample.start()]);
    const first = pidOf(sample);
    await sample.start();
    expect(sample.pid).toBe(first);
    await sample.stop();
    await sample.start();
    expect(pidOf(sample)).not.toBe(first);
    expect(isAlive(first)).toBe(false);
  });

  it('that ends before it is ready is told with its exit code and its last lines', async () => {
    const { sample, ends } = await createSample('fail');
    await expect(sample.start()).rejects.toMatchObject({
      code: 'PROCESS_FAILED',
      message: `The sample ended with exit code 3. The last lines of ${sample.logFile}:\n  | first trouble\n  | second trouble`,
    });
    expect(sample.pid).toBeUndefined();
    expect(ends).toEqual([]);
  });

  it('that ends unexpectedly is told with what ended it', async () => {
    const { sample, ends } = await createSample('run');
    await sample.start();
    process.kill(pidOf(sample), 'SIGKILL');
    await expect.poll(() => ends).toHaveLength(1);
    expect(ends[0]).toContain('The sample was ended by SIGKILL.');
  });

  it('that is killed on purpose is not unexpected', async () => {
    const { sample, ends } = await createSample('ignore-stop');
    await sample.start();
    const pid = pidOf(sample);
    await sample.kill();
    expect(isAlive(pid)).toBe(false);
    expect(ends).toEqual([]);
  });

  it('can be paused, resumed, and stopped while it is paused', async () => {
    const { sample } = await createSample('run');
    await sample.start();
    const pid = pidOf(sample);
    await sample.pause();
    await expect.poll(() => stateOf(pid)).toBe('T');
    sample.resume();
    await expect.poll(() => stateOf(pid)).not.toBe('T');
    await sample.pause();
    await expect.poll(() => stateOf(pid)).toBe('T');
    expect(await sample.stop()).toBe('stopped');
    expect(isAlive(pid)).toBe(false);
  });

  it('gets only its own variables and a few harmless ones', async () => {
    process.env['REGION_ID'] = 'stray';
    const cache = process.env['NODE_COMPILE_CACHE'];
    const folder = await scratchFile('compiled');
    process.env['NODE_COMPILE_CACHE'] = folder;
    onTestFinished(() => {
      delete process.env['REGION_ID'];
      if (cache === undefined) delete process.env['NODE_COMPILE_CACHE'];
      else process.env['NODE_COMPILE_CACHE'] = cache;
    });
    const { sample } = await createSample('print-environment');
    await sample.start();
    const [line = ''] = (await readFile(sample.logFile, 'utf8')).split('\n');
    expect(JSON.parse(line)).toMatchObject({
      OWN: 'given',
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: folder,
    });
    expect(line).not.toContain('stray');
  });
});
