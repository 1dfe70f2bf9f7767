#!/usr/bin/env node
// npm create @tandem my-notes: arguments, what is installed, and what a person does next.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CreateError, createProject } from './index.ts';

const USAGE = 'npm create @tandem FOLDER [-- --packages FOLDER_OF_TARBALLS] [--no-install]';
const NODE_MIN = 22.18;

function fail(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function readArguments(): { folder: string; packages: string | undefined; install: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { packages: { type: 'string' }, 'no-install': { type: 'boolean', default: false } },
    });
    const [folder, ...more] = positionals;
    if (folder === undefined || more.length > 0) return fail(`Name one folder: ${USAGE}`);
    return { folder, packages: values.packages, install: !values['no-install'] };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  fail(
    `The project needs Node ${NODE_MIN} or newer and this is Node ${process.versions.node}: install a newer one.`,
  );
}
const { folder, packages, install } = readArguments();
try {
  for (const path of createProject({ folder, packages }))
    process.stdout.write(`${folder}/${path}\n`);
} catch (error) {
  if (error instanceof CreateError) fail(error.message);
  throw error;
}
if (install) {
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) fail(`npm install failed: mend it, and run it again in ${folder}.`);
}
process.stdout.write(
  `\n  cd ${folder}\n${install ? '' : '  npm install\n'}  npm start\n  npm test\n`,
);
