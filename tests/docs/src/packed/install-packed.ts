// The public packages as a stranger has them: packed, and installed by npm into a folder that knows nothing else. Done once
// for all that is asked of them, since it takes half a minute.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../guarantees-page.ts';

const PACKAGES = `${ROOT}/packages`;
const RELEASE = `${ROOT}/scripts/release.mjs`;
/** The newest of the last line that the packages refuse: on it a write was once acknowledged and never sent. */
const NODE_REFUSED = '20.20.2';
/** What a project has of its own for `/testing`. */
const BROUGHT_FOR_TESTS = ['vitest'];
/** What the examples use besides, by the package whose version it is. */
const BROUGHT_FOR_EXAMPLES = [
  ['fastify', 'apps/customer-api'],
  ['@azure/service-bus', 'packages/messaging'],
];

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly keywords?: readonly string[];
  readonly repository?: { readonly url: string };
  readonly engines: { readonly node: string };
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Installed {
  readonly folder: string;
  /** By name of the package. */
  readonly tarballs: ReadonlyMap<string, string>;
  /** How many packages come with them, by the bill of materials. */
  readonly components: number;
  /** Executables: the one that `engines` names, and one that is too old. */
  readonly nodes: { readonly oldest: string; readonly refused: string };
}

export const run = promisify(execFile);
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** Returns the folders below `packages` whose packages are made to be published, by name of the folder. */
export function publicFolders(): readonly string[] {
  return readdirSync(PACKAGES).filter(
    (folder) => readManifest(join(PACKAGES, folder)).private !== true,
  );
}

/**
 * What runs this test may have told its own npm things that are not for every folder, a vitest below it to be its worker, and
 * every Node where the clone keeps compiled code: a folder made for a test would stay in there for good.
 */
export function newcomersEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:npm_|VITEST|NODE_ENV$|NODE_COMPILE_CACHE$)/iu.test(name),
    ),
  );
}

async function npmInstall(folder: string, ...wanted: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"newcomer","private":true,"type":"module"}');
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...quiet, ...wanted], { cwd: folder, env: newcomersEnvironment() });
}

/** Installs the executable of another version, and returns where it is. */
async function installNode(folder: string, version: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  await npmInstall(folder, `${name}@${version}`);
  return join(folder, 'node_modules', name, 'bin/node');
}

/** Says which version of a package the tests of the workspace use. */
function ownVersion(name: string, user: string): string {
  return readManifest(`${ROOT}/${user}/node_modules/${name}`).version;
}

export async function installPacked(folder: string): Promise<Installed> {
  const { stdout } = await run(process.execPath, [RELEASE, '--out', folder]);
  const made = JSON.parse(stdout) as Pick<Installed, 'components'> & {
    readonly tarballs: Readonly<Record<string, string>>;
  };
  const tarballs = new Map(
    Object.entries(made.tarballs).map(([name, path]) => [basename(name), path]),
  );
  const brought = [
    ...['typebox', ...BROUGHT_FOR_TESTS].map((name) => [name, 'packages/core']),
    ...BROUGHT_FOR_EXAMPLES,
  ].map(([name = '', user = '']) => `${name}@${ownVersion(name, user)}`);
  const { engines } = readManifest(`${PACKAGES}/core`);
  const [oldest, refused] = await Promise.all([
    installNode(join(folder, 'node-oldest'), `${engines.node.replace('>=', '')}.0`),
    installNode(join(folder, 'node-refused'), NODE_REFUSED),
    npmInstall(folder, ...tarballs.values(), ...brought),
  ]);
  return { folder, tarballs, components: made.components, nodes: { oldest, refused } };
}
