// The example of each package's README, run as it stands there, by the oldest Node that may, over a storage account, a
// namespace and a customer API of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../guarantees-page.ts';
import { type Installed, publicFolders, run } from './install-packed.ts';

/** What each of them says. */
const SAID: Readonly<Record<string, RegExp>> = {
  create: /^package\.json\nREADME\.md\n[\s\S]*src\/main\.ts\ntest\/notes\.test\.ts\n$/u,
  core: /^ENTITY_INVALID false [^\n]*label[^\n]*\ntrue\n$/u,
  'customer-client': /^sonia@example\.com east\n00b479c9-f61f-451a-86d2-ee8cc047c181\n$/u,
  messaging: /^note-1 a pump was started\n$/u,
  region: /\{ label: 'Pump 7', restarts: 0 \}[\s\S]*"event":"shutdown-finished"/u,
  'service-kit': /^PORT cannot be used: it must be [^\n]*65535[\s\S]*\nanswered\n/u,
  'servicebus-emulator': /^$/u,
  storage: /^owed to west: 1\n\{ label: 'Boiler' \}\n$/u,
  telemetry: /^orders_taken[^\n]* 3\b/u,
};

const COMPILER_FLAGS =
  '--noEmit --strict --skipLibCheck --target es2024 --module nodenext --types node --ignoreConfig'.split(
    ' ',
  );

/** Returns the first example in TypeScript of a page. */
function exampleOf(page: string): string {
  return /```ts\n([\s\S]*?)```\n/u.exec(page)?.[1] ?? '';
}

/** Resolves to the port, once the API answers. */
async function untilReady(api: ChildProcess): Promise<number> {
  if (api.stdout === null) throw new Error('the API has no output');
  const told: string[] = [];
  for await (const line of createInterface({ input: api.stdout })) {
    told.push(line);
    const fields = JSON.parse(line) as { readonly event: string; readonly port: number };
    if (fields.event === 'ready') return fields.port;
  }
  throw new Error(`the API has ended: ${told.join('\n')}`);
}

export function describeExamples(installed: () => Installed): void {
  describe('the example in the README', () => {
    let azurite: Azurite;
    let emulator: Emulator;
    let api: ChildProcess;
    let env: NodeJS.ProcessEnv;

    beforeAll(async () => {
      azurite = await startAzurite();
      emulator = await createEmulator();
      env = {
        PATH: process.env['PATH'],
        STORAGE_CONNECTION: azurite.connectionString,
        SERVICE_BUS_CONNECTION: emulator.connectionString,
        SERVICE_BUS_ADMINISTRATION_CONNECTION: emulator.adminConnectionString,
      };
      const place = { REGION_ID: 'east', CUSTOMER_DATA_ACCESS: 'single-region', PORT: '0' };
      api = spawn(process.execPath, [`${ROOT}/apps/customer-api/src/main.ts`], {
        env: { ...env, ...place },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      env = { ...env, TANDEM_URL: `http://127.0.0.1:${await untilReady(api)}` };
      api.stdout?.resume();
    });

    afterAll(async () => {
      api?.kill('SIGKILL');
      await azurite?.stop();
      await emulator?.close();
    });

    test.each(publicFolders())('of %s compiles, and does what it says', async (name) => {
      const { folder, nodes } = installed();
      const page = readFileSync(join(folder, 'node_modules/@tandem', name, 'README.md'), 'utf8');
      const path = join(folder, `example-${name}.ts`);
      writeFileSync(path, exampleOf(page));
      const types = ['--typeRoots', `${ROOT}/node_modules/@types`];
      await run(`${ROOT}/node_modules/.bin/tsc`, [...COMPILER_FLAGS, ...types, path]);
      const { stdout } = await run(nodes.oldest, [path], { cwd: folder, env });
      expect(stdout).toMatch(SAID[name] ?? /no example is expected of this package/u);
    });
  });
}
