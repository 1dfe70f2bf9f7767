import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, startCluster } from '@tandem/local-cluster';
import { startAzurite } from '@tandem/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atPorts, readShownCommands, runInOneShell, toPattern } from './shown-commands.ts';

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

const START_MS_MAX = 300_000;

describe('the README', () => {
  const session = readShownCommands(README, 'console');
  let cluster: Cluster;
  let outputs: readonly string[];

  beforeAll(async () => {
    cluster = await startCluster();
    const own = session.map(({ command }) => atPorts(command, cluster.portBase));
    outputs = await runInOneShell(own, fileURLToPath(new URL('../../../', import.meta.url)));
  }, START_MS_MAX);

  afterAll(() => cluster?.stop());

  test('shows an application on Table Storage, whose row the unmodified client then finds in every region', async () => {
    const [, shown = ''] = /```js\n([^`]*@azure\/data-tables[^`]*)```/.exec(README) ?? [];
    const run = (code: string, region: string): string =>
      execFileSync(process.execPath, ['--input-type=module', '--eval', code], {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: { ...process.env, TABLES: cluster.region(region).addresses.tableEndpoint },
        encoding: 'utf8',
      });
    run(shown, 'east');
    const [opening = ''] = shown.split('await orders.createTable()');
    const reading = `${opening}console.log((await orders.getEntity('ada', '001')).item);`;
    expect(run(reading, 'east')).toBe('pump\n');
    const inWest = async (): Promise<string> => {
      try {
        return run(reading, 'west');
      } catch (error) {
        return String(error);
      }
    };
    await expect.poll(inWest, { timeout: 60_000, interval: 500 }).toBe('pump\n');
  }, 120_000);

  test('shows a session', () => expect(session.length).toBeGreaterThanOrEqual(5));

  // All at once, one behind the other: each waits for what the one before it wrote.
  test.each(session.map(({ command }, index) => ({ command, index })))(
    'C11: $command',
    ({ index }) => {
      expect(outputs[index] ?? '').toMatch(toPattern(session[index]?.output ?? ''));
    },
  );
});

test.each([
  {
    name: 'a table of a kind',
    example: new URL('./library-example.ts', import.meta.url),
    shown: "{ label: 'Pump 7', restarts: 0 }",
  },
  {
    name: 'a table of the catalogue',
    example: new URL('./open-table-example.ts', import.meta.url),
    shown: "08:01 { type: 'Int32', value: 9 }",
  },
])(
  'the README of the region shows $name as it compiles, and as it runs over an account',
  async ({ example, shown }) => {
    const readme = readFileSync(
      new URL('../../../packages/region/README.md', import.meta.url),
      'utf8',
    );
    expect(readme).toContain(`\`\`\`ts\n${readFileSync(example, 'utf8')}\`\`\`\n`);
    const azurite = await startAzurite();
    try {
      const env = { ...process.env, STORAGE_CONNECTION: azurite.connectionString };
      const options = { env, encoding: 'utf8' } as const;
      const output = execFileSync(process.execPath, [fileURLToPath(example)], options);
      expect(output).toContain(shown);
      expect(output).toContain('"event":"shutdown-finished"');
    } finally {
      await azurite.stop();
    }
  },
);

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGES = globSync('{*,docs/**/*,packages/*/*,infra/*,observability/*}.md', { cwd: ROOT });
const { scripts: SCRIPTS } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
  scripts: Record<string, string>;
};

/** Words of pnpm itself that pages show. */
const BUILT_IN = ['exec', 'install', 'pack', 'run'];

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(`${ROOT}${page}`, 'utf8');

  test('names only scripts that exist', () => {
    const named = [...text.matchAll(/(?:^|`)(?:npm run|pnpm) ([a-z][a-z0-9:]*)/gm)].map(
      ([, name = '']) => name,
    );
    const known = [...Object.keys(SCRIPTS), ...BUILT_IN];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('leads only to files that exist', () => {
    const targets = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
      ([, path = '']) => path,
    );
    const missing = targets.filter((path) => !existsSync(join(ROOT, dirname(page), path)));
    expect(missing).toEqual([]);
  });

  test('leads only to headings that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)/g)];
    const missing = links.filter(([, path = '', heading = '']) => {
      const target = path === '' ? page : join(dirname(page), path);
      return !anchorsOf(readFileSync(join(ROOT, target), 'utf8')).includes(heading);
    });
    expect(missing.map(([link]) => link)).toEqual([]);
  });
});

/** Returns the names under which GitHub leads to the headings of a page. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
