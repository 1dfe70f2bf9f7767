// The example that shows the emulator as a container to another project, on the image that was built.
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from './run/run-command.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../../examples/queue-test');
const VITEST = join(EXAMPLE, 'node_modules/vitest/vitest.mjs');
const DEADLINES = ['--testTimeout', '60000', '--hookTimeout', '60000'];
const RUN_MS_MAX = 300_000;

test.runIf(process.env['E2E_BACKEND'] === 'containers')(
  'the emulator serves the tests of another project as a container of its image',
  async () => {
    const { exitCode, output } = await runCommand(
      process.execPath,
      [VITEST, 'run', '--root', EXAMPLE, '--exclude', '**/dist/**', ...DEADLINES],
      {
        env: {
          EMULATOR_IMAGE: `tandem-servicebus-emulator:${process.env['E2E_TAG'] ?? ''}`,
          // Ports are published on loopback alone, which is not what testcontainers asks where this machine is a
          // container itself.
          TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
          // What would clear up after it is one more image that must be pulled.
          TESTCONTAINERS_RYUK_DISABLED: 'true',
        },
        timeoutMs: RUN_MS_MAX,
      },
    );
    expect(output).toMatch(/3 passed/u);
    expect(exitCode).toBe(0);
  },
);
