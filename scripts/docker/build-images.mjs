// Builds the images of Tandem: `node scripts/docker/build-images.mjs [--tag dev] [--ref v1.2.0]`.
// Each is tandem-<target>:<tag>. With --ref, from the files of that commit and not from those here.
// Prints the size of each; the last line names them all.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readOptions } from './read-options.mjs';

const TARGETS = [
  'customer-api',
  'table-endpoint',
  'replicator',
  'operator',
  'traffic-manager',
  'servicebus-emulator',
  'azurite',
];
const ATTEMPT_MS_MAX = 8 * 60_000;
/** A download that hangs is not waited for: what was built of an image until then is kept. */
const ATTEMPTS_MAX = 3;
const OUTPUT_BYTES_MAX = 2 ** 26;
const LAST_LINES = 40;
const ROOT = resolve(import.meta.dirname, '../..');

const USAGE = `Usage: node scripts/docker/build-images.mjs [--tag <tag>] [--ref <commit>]

Builds ${TARGETS.map((target) => `tandem-${target}`).join(', ')}.
  --tag <tag>     of the images, dev unless given
  --ref <commit>  from the files of this commit and not from those here
Exits with 1 when one cannot be built, with 2 for options that are not there.`;
const values = readOptions(USAGE, {
  tag: { type: 'string', default: 'dev' },
  ref: { type: 'string' },
});

function read(command, args, options = {}) {
  return execFileSync(command, args, { cwd: ROOT, encoding: 'utf8', ...options }).trim();
}

/** The files of a commit, in a folder of their own. */
function extract(ref) {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-sources-'));
  const archive = execFileSync('git', ['archive', ref], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  return folder;
}

/** What tells one commit's images from another's. It is in labels only: no layer depends on it. */
function describeSources(context, ref) {
  const { version } = JSON.parse(readFileSync(join(context, 'package.json'), 'utf8'));
  const isChanged = values.ref === undefined && read('git', ['status', '--porcelain']) !== '';
  return {
    VERSION: version,
    REVISION: `${read('git', ['rev-parse', ref])}${isChanged ? '-changed' : ''}`,
    CREATED: read('git', ['show', '-s', '--format=%cI', ref]),
  };
}

/** Builds with the classic builder as with BuildKit; what it printed is shown only if it fails. */
function build(context, args) {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { status, error, stdout, stderr } = spawnSync('docker', ['build', ...args, '.'], {
      cwd: context,
      encoding: 'utf8',
      maxBuffer: OUTPUT_BYTES_MAX,
      timeout: ATTEMPT_MS_MAX,
    });
    if (status === 0) return;
    const lines = `${stdout}${stderr}`.trimEnd().split('\n').slice(-LAST_LINES);
    const end = error?.code === 'ETIMEDOUT' ? `no end in ${ATTEMPT_MS_MAX} ms` : `exit ${status}`;
    process.stderr.write(`${lines.join('\n')}\ndocker build ${args.join(' ')}: ${end}, `);
    process.stderr.write(`attempt ${attempt} of ${ATTEMPTS_MAX}\n`);
  }
  throw new Error('docker build failed; the last lines of each attempt are above');
}

function buildAll(context, ref) {
  const base = read(join(ROOT, 'scripts/docker/base-image.sh'), [], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const facts = { BASE_IMAGE: base, ...describeSources(context, ref) };
  const buildArgs = Object.entries(facts).flatMap(([key, value]) => [
    '--build-arg',
    `${key}=${value}`,
  ]);
  for (const target of TARGETS) {
    const startedMs = Date.now();
    const image = `tandem-${target}:${values.tag}`;
    build(context, ['--target', target, ...buildArgs, '-t', image]);
    const bytes = Number(read('docker', ['image', 'inspect', '-f', '{{.Size}}', image]));
    const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1);
    process.stdout.write(`${image}: ${Math.round(bytes / 1e6)} MB, ${seconds} s\n`);
  }
}

const context = values.ref === undefined ? ROOT : extract(values.ref);
try {
  buildAll(context, values.ref ?? 'HEAD');
  process.stdout.write(`${TARGETS.map((name) => `tandem-${name}:${values.tag}`).join(' ')}\n`);
} finally {
  if (values.ref !== undefined) rmSync(context, { recursive: true, force: true });
}
