import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';

const FIXTURE = new URL('./testing/shutdown-fixture.ts', import.meta.url);

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function startFixture(): Promise<{ child: ChildProcess; output: () => string }> {
  const child = fork(FIXTURE, {
    silent: true,
    env: { ...process.env, TANDEM_EXIT_WITH_PARENT: '1' },
  });
  children.push(child);
  const chunks: string[] = [];
  const ready = new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      chunks.push(chunk);
      if (chunks.join('').includes('"event":"ready"')) resolve();
    });
  });
  await ready;
  return { child, output: () => chunks.join('') };
}

/** Not 'close', which Node does not emit for a child that was disconnected. */
async function exitOf(child: ChildProcess): Promise<unknown[]> {
  const [exited] = await Promise.all([once(child, 'exit'), once(child.stdout ?? child, 'end')]);
  return exited;
}

describe('a process that has installed signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('shuts down on %s and exits with 0', async (signal) => {
    const { child, output } = await startFixture();
    const exited = exitOf(child);
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(output()).toContain('"event":"shutdown-finished"');
  });

  test('shuts down when its parent lets go of it', async () => {
    const { child, output } = await startFixture();
    const exited = exitOf(child);
    child.disconnect();
    expect(await exited).toEqual([0, null]);
    expect(output()).toContain('the parent process has ended');
  });
});
