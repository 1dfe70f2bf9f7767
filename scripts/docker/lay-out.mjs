// Runs in stages of the Dockerfile, and lays out for each image what it holds below /app:
//   lay-out.mjs modules   installs the packages that each needs at run time into /modules/<image>
//   lay-out.mjs sources   copies our own files that each needs into /sources/<image>, and an empty folder
//                         to write into into /volumes/<image>
// Without tests, types and source maps, and with nothing that differs from one build to the next.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** `own` false: only the packages of others that it depends on, none of ours. */
const IMAGES = [
  { name: 'customer-api', workspace: 'apps/customer-api', own: true },
  { name: 'table-endpoint', workspace: 'apps/table-endpoint', own: true },
  { name: 'replicator', workspace: 'apps/replicator', own: true },
  { name: 'operator', workspace: 'apps/cli', own: true },
  { name: 'traffic-manager', workspace: 'apps/traffic-manager', own: true },
  { name: 'servicebus-emulator', workspace: 'packages/servicebus-emulator', own: true },
  { name: 'azurite', workspace: 'packages/local-cluster', own: false },
];
const UNUSED_BELOW_MODULES = [
  'node_modules/.modules.yaml',
  // The root package's own Node, which pnpm installs whatever the filter is.
  'node_modules/{node-linux-*,.bin}',
  'node_modules/.pnpm/{node-linux-*,node_modules/node-linux-*}',
  'node_modules/.pnpm-workspace-state*.json',
  'node_modules/.pnpm/lock.yaml',
  'node_modules/.pnpm/@types+*',
  'node_modules/.pnpm/node_modules/@types',
  'node_modules/.pnpm/**/*.{map,md,ts,mts,cts,flow}',
  'node_modules/.pnpm/**/dist/{browser,react-native}',
];
const UNUSED_BELOW_SOURCES = ['**/*.test.ts', '**/testing', '**/scratch', '**/tsconfig*.json'];
/**
 * trustLockfile leaves out one check: that every release in the lockfile is old enough. Left in, it would
 * ask the registry for the dates of all of them, again for each image, and a commit could be built
 * today and not tomorrow. It is made where it can still change something, by every install of the
 * workspace: before a lockfile is committed, and by CI before it builds images. What is fetched is held
 * against the hashes of the lockfile here as there, and --frozen-lockfile lets nothing else be fetched.
 */
const INSTALL = [
  'install',
  '--frozen-lockfile',
  '--prod',
  '--ignore-scripts',
  '--config.trustLockfile=true',
];
/** The time of every file: the same for every build. */
const FILE_TIME_S = 0;

function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** The folders of the workspace packages that one needs, itself included. */
function closureOf(folder, folders, found = new Set()) {
  found.add(folder);
  for (const name of Object.keys(readManifest(folder).dependencies ?? {})) {
    const next = folders.get(name);
    if (next !== undefined && !found.has(next)) closureOf(next, folders, found);
  }
  return found;
}

function removeAll(root, patterns) {
  for (const path of globSync(patterns, { cwd: root })) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
}

/** Not by globSync, which leaves out what begins with a dot: .pnpm, that is nearly everything. */
function setTimes(root) {
  for (const path of readdirSync(root, { recursive: true })) {
    lutimesSync(join(root, path), FILE_TIME_S, FILE_TIME_S);
  }
}

function layOutModules({ name, workspace, own }, closure) {
  const filter = `${readManifest(workspace).name}${own ? '...' : ''}`;
  execFileSync('pnpm', [...INSTALL, '--filter-prod', filter], { stdio: 'inherit' });
  const root = `/modules/${name}`;
  for (const folder of ['.', ...closure]) {
    const modules = join(folder, 'node_modules');
    if (!existsSync(modules)) continue;
    mkdirSync(join(root, 'app', folder), { recursive: true });
    renameSync(modules, join(root, 'app', modules));
  }
  removeAll(join(root, 'app'), UNUSED_BELOW_MODULES);
  setTimes(root);
}

function layOutSources({ name }, closure) {
  const root = `/sources/${name}`;
  const volume = `/volumes/${name}`;
  mkdirSync(join(volume, 'data'), { recursive: true });
  for (const folder of closure) {
    for (const part of ['package.json', 'src']) {
      cpSync(join(folder, part), join(root, 'app', folder, part), { recursive: true });
    }
  }
  cpSync(join(import.meta.dirname, 'probe.mjs'), join(root, 'app/probe.mjs'));
  removeAll(join(root, 'app'), UNUSED_BELOW_SOURCES);
  setTimes(root);
  setTimes(volume);
}

const manifests = globSync('{apps,packages}/*/package.json');
const folders = new Map(manifests.map((path) => [readManifest(dirname(path)).name, dirname(path)]));
for (const image of IMAGES) {
  const closure = image.own ? [...closureOf(image.workspace, folders)] : [image.workspace];
  if (process.argv[2] === 'modules') layOutModules(image, closure);
  else layOutSources(image, image.own ? closure : []);
}
