import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reserveFreePorts } from '@tandem/local-cluster';
import { expect, it, onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const RUN_MS_MAX = 110_000;

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

function run(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { timeout: RUN_MS_MAX }, (error, _stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stderr }),
    );
  });
}

it('names a taken port, who wants it and how to choose others, and exits with 1', async () => {
  const { base, plan, release } = await reserveFreePorts(['east', 'west']);
  onTestFinished(release);
  const holder = createServer().listen(plan.trafficManager, '127.0.0.1');
  onTestFinished(() => void holder.close());
  await once(holder, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stderr } = await run('--port-base', String(base), '--data', folder);
  expect(stderr).toContain(`port ${base}, wanted by the traffic manager`);
  expect(stderr).toContain(`--port-base ${base + 100} or TANDEM_PORT_BASE=${base + 100}`);
  expect(code).toBe(1);
});

it('does not delete with --fresh what is not its own', async () => {
  const { code, stderr } = await run(
    '--fresh',
    '--data',
    fileURLToPath(new URL('.', import.meta.url)),
  );
  expect(stderr).toContain('has contents that are not of a cluster');
  expect(code).toBe(1);
});

it('exits with 2 for options that it does not know', async () => {
  const { code, stderr } = await run('--ports', '8000');
  expect(stderr).toContain("unknown option '--ports'");
  expect(code).toBe(2);
});
