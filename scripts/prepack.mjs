// Runs in a package before pnpm packs it: builds it, and removes what a source that is gone has left in dist. An entry
// that is promised and not there ends the packing: without a build a tarball was a manifest, and nobody was told.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const TSC = join(import.meta.dirname, '../node_modules/.bin/tsc');

function fail(problem) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function build(...args) {
  const { status } = spawnSync(TSC, ['-b', ...args], { stdio: ['ignore', 2, 2] });
  if (status !== 0) fail(`${name} does not build, so it cannot be packed: see above.`);
}

/** Each source makes a module and its types. */
function builtFiles() {
  return globSync('src/**/*.ts').flatMap((source) => {
    const path = source.replace(/^src/u, 'dist').replace(/\.ts$/u, '');
    return [`${path}.js`, `${path}.d.ts`];
  });
}

const {
  name,
  exports = {},
  bin = {},
  publishConfig,
} = JSON.parse(readFileSync('package.json', 'utf8'));
if (!process.env.npm_config_user_agent?.startsWith('pnpm/')) {
  fail(
    `Pack ${name} with "pnpm pack": any other would leave workspace: and catalog: in its manifest.`,
  );
}
build();
// What tsc believes to be up to date may have been deleted since.
if (!builtFiles().every((path) => existsSync(path))) build('--force');
const built = new Set(builtFiles());
for (const path of globSync('dist/**/*.*')) if (!built.has(path)) rmSync(path);

// What stands in for the world in tests may be for this workspace alone.
const promised = [exports, bin]
  .flatMap((map) => Object.keys(map))
  .filter((key) => key !== './testing');
const kept = [publishConfig?.exports ?? {}, publishConfig?.bin ?? {}].flatMap(Object.entries);
const paths = kept.flatMap(([, target]) =>
  Object.values(typeof target === 'string' ? [target] : target),
);
const missing = [
  ...promised.filter((key) => !kept.some(([other]) => other === key)),
  ...paths.filter((path) => !existsSync(path)),
];
if (missing.length > 0) {
  fail(
    `${name} cannot be packed: publishConfig names nothing that is built for ${missing.join(', ')}.`,
  );
}
