// Makes a release of the public packages: packs them, lists what they bring (CycloneDX), checks its licences, and asks npm
// whether it would take them. Publishes only when told to.
//   release.mjs [--out DIR] [--publish]
// What it says last, on standard output, is one line of JSON: { folder, tarballs, components, published }.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
/** Whose conditions are met by their texts, which npm installs beside each package. */
const LICENCES = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
];

function fail(problem) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

/** Whatever started this may have told its own npm things that are not for every folder. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')),
);

function run(command, args, cwd) {
  const options = { cwd, env, encoding: 'utf8', maxBuffer: 64 * 1_024 * 1_024 };
  try {
    return execFileSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return fail(`${command} ${args.join(' ')} in ${cwd} failed:\n${error.stdout}${error.stderr}`);
  }
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The public ones, each behind those that it needs, so that nobody finds one whose neighbour is not there yet. */
function publicPackages() {
  const found = new Map(
    globSync('packages/*/package.json', { cwd: ROOT })
      .map((path) => ({ folder: join(ROOT, dirname(path)), manifest: readJson(join(ROOT, path)) }))
      .filter(({ manifest }) => manifest.private !== true)
      .map((one) => [one.manifest.name, one]),
  );
  const ordered = new Set();
  const add = (one) => {
    for (const name of Object.keys(one.manifest.dependencies ?? {})) {
      const needed = found.get(name);
      if (needed !== undefined && !ordered.has(needed)) add(needed);
    }
    ordered.add(one);
  };
  for (const one of found.values()) add(one);
  return [...ordered];
}

/** Packs them in one run of pnpm, whose own start takes longer than a package; one after the other, since each builds. */
function packAll(packages, out) {
  const filters = packages.flatMap(({ manifest }) => ['--filter', manifest.name]);
  const pnpm = [join(ROOT, 'scripts/pnpm.mjs'), '-r', '--workspace-concurrency=1', ...filters];
  const args = [...pnpm, 'pack', '--json', '--pack-destination', out];
  const told = run(process.execPath, args, ROOT);
  // What the scripts of the packages print stands before it.
  const packed = new Map(
    JSON.parse(told.slice(told.search(/^\[/mu))).map((one) => [one.name, one]),
  );
  return packages.map(({ manifest: { name, version } }) => {
    const { filename } = packed.get(name) ?? fail(`pnpm has not packed ${name}.`);
    return { name, version, filename };
  });
}

/** Resolves what a project gets that installs them all, and nothing for development. */
function resolveProduction(packed, out) {
  const folder = join(out, 'production');
  mkdirSync(folder, { recursive: true });
  const dependencies = Object.fromEntries(
    packed.map(({ name, filename }) => [name, `file:${filename}`]),
  );
  const [{ version }] = packed;
  const manifest = { name: 'tandem', version, private: true, dependencies };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  run('npm', ['install', '--package-lock-only', ...quiet], folder);
  return folder;
}

function checkLicences(folder) {
  const { packages } = readJson(join(folder, 'package-lock.json'));
  const strangers = Object.entries(packages)
    .filter(([path, { license }]) => path !== '' && !LICENCES.includes(license))
    .map(
      ([path, { license }]) => `${path.replace('node_modules/', '')} (${license ?? 'none named'})`,
    );
  if (strangers.length === 0) return;
  fail(
    `These come with a licence that nobody has read: ${strangers.join(', ')}. ` +
      'Leave them out, or read it and add it to LICENCES of scripts/release.mjs.',
  );
}

function writeBillOfMaterials(folder, out) {
  const told = run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], folder);
  const bill = JSON.parse(told);
  for (const component of bill.components) {
    // Where our own lay when the bill was made is of no use to who reads it.
    const { externalReferences = [] } = component;
    component.externalReferences = externalReferences.filter(({ url }) => !url.startsWith('file:'));
  }
  writeFileSync(join(out, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
  return bill.components.length;
}

/** Fails unless what is published can be traced to a commit of the repository that the packages name. */
function checkOrigin() {
  const { repository } = readJson(join(ROOT, 'package.json'));
  const origin = run('git', ['remote', 'get-url', 'origin'], ROOT).trim();
  const plain = (url) => url.replace(/^git\+/u, '').replace(/\.git$/u, '');
  if (plain(origin) !== plain(repository.url)) {
    fail(
      `The packages name ${repository.url} as their repository, and origin is ${origin}: ` +
        'name that one in each package.json, since provenance is checked against it.',
    );
  }
  if (run('git', ['status', '--porcelain'], ROOT) !== '') {
    fail('There are changes that are in no commit: commit them before a release.');
  }
  if (globSync('.changeset/*.md', { cwd: ROOT }).some((path) => !path.endsWith('README.md'))) {
    fail(
      'There are changes without a version: run "pnpm run release:version" and commit what it writes.',
    );
  }
}

function publish({ filename }, isEarnest) {
  // Provenance is signed with the identity that a workflow has, so elsewhere there is none.
  const hasIdentity =
    process.env.ACTIONS_ID_TOKEN_REQUEST_URL !== undefined ||
    process.env.SIGSTORE_ID_TOKEN !== undefined;
  const how = isEarnest ? (hasIdentity ? ['--provenance'] : []) : ['--dry-run'];
  run('npm', ['publish', filename, '--access', 'public', ...how], ROOT);
}

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, '.tandem/release') },
    publish: { type: 'boolean', default: false },
  },
});
const out = resolve(values.out);
if (values.publish) checkOrigin();
try {
  mkdirSync(out, { recursive: true });
} catch (error) {
  fail(`${out} cannot be written by this user (${error.code}): name another folder with --out.`);
}
const packed = packAll(publicPackages(), out);
const versions = new Set(packed.map(({ version }) => version));
if (versions.size > 1)
  fail(`The packages have one version, and these have ${[...versions].join(', ')}.`);
const production = resolveProduction(packed, out);
checkLicences(production);
const components = writeBillOfMaterials(production, out);
for (const one of packed) publish(one, values.publish);
const tarballs = Object.fromEntries(packed.map(({ name, filename }) => [name, filename]));
process.stdout.write(
  `${JSON.stringify({ folder: out, tarballs, components, published: values.publish })}\n`,
);
