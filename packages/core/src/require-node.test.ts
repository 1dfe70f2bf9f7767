import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { requireNode } from './require-node.ts';

const PACKAGES = fileURLToPath(new URL('../../', import.meta.url));
/** What a module sees of the Node that runs it. */
const AS_NODE_20 = `data:text/javascript,${encodeURIComponent(
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })`,
)}`;

interface Run {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function runAsNode20(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', AS_NODE_20, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

describe('F6: a Node that is too old', () => {
  test.each(['18.20.8', '20.20.2', '21.7.3', '22.0.0', '22.17.1', ''])(
    'is refused: %s',
    (version) => {
      expect(() => requireNode(version)).toThrow(
        `Tandem needs Node 22.18 or newer and this is Node ${version}: install a newer one.`,
      );
    },
  );

  test.each(['22.18.0', '22.18.0-nightly', '23.6.0', '24.21.0', '100.0.0'])(
    'is not %s',
    (version) => {
      expect(() => requireNode(version)).not.toThrow();
    },
  );

  test.each(readdirSync(PACKAGES))('is named by the engines of packages/%s', (name) => {
    const manifest = JSON.parse(readFileSync(`${PACKAGES}${name}/package.json`, 'utf8')) as object;
    expect(manifest).toMatchObject({ engines: { node: '>=22.18' } });
  });

  test('imports no package of a region, and is told why in one sentence', async () => {
    const names = ['core', 'storage', 'messaging', 'service-kit', 'region', 'telemetry'];
    const entries = names.map((name) => `${PACKAGES}${name}/src/index.ts`);
    const script = `for (const entry of ${JSON.stringify([...entries, `${PACKAGES}servicebus-emulator/src/index.ts`])}) {
      await import(entry).then(() => console.log('imported'), (error) => console.log(error.stack));
    }`;
    const { stdout } = await runAsNode20('--input-type=module', '-e', script);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(entries.length + 1);
    for (const line of lines) {
      expect(line).toMatch(/needs Node 22\.18 or newer and this is Node 20\.20\.2: install/);
    }
  });

  test('ends the command and the services at once', async () => {
    const tandem = await runAsNode20(`${PACKAGES}../apps/cli/src/tandem.mjs`, '--help');
    expect(tandem).toMatchObject({ code: 2, stdout: '' });
    expect(tandem.stderr).toMatch(/^tandem needs Node 22\.18 or newer[^\n]*\n$/);
    for (const app of ['customer-api', 'replicator', 'traffic-manager']) {
      const service = await runAsNode20(`${PACKAGES}../apps/${app}/src/main.ts`);
      expect(service).toMatchObject({ code: 1, stdout: '' });
      expect(service.stderr).toContain('Tandem needs Node 22.18 or newer and this is Node 20.20.2');
    }
  });
});
