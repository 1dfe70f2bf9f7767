import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { PROJECT_FILES } from './project-files.ts';

export interface CreateOptions {
  /** Where the project is written: new, or empty. Its last part is the name of the project. */
  readonly folder: string;
  /** A folder of packed packages to install from; the registry by default. */
  readonly packages?: string | undefined;
}

/** What a person can mend; the message says how. */
export class CreateError extends Error {}

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>;
}

const OWN_PREFIX = '@tandem/';
/** What the project runs on, and what only its tests and its regions on this machine need. */
const RUNS_ON = ['@tandem/core', '@tandem/region', '@tandem/service-kit', 'typebox'];
const NAME = /^[a-z0-9][a-z0-9._-]{0,213}$/u;
const PACKED = /^tandem-(.+)-\d+\.\d+\.\d+[^/]*\.tgz$/u;

/**
 * Writes a project with one table, two regions on this machine and a test, and returns the paths of its files. Installs
 * nothing. Throws `CreateError`, before anything is written.
 */
export function createProject({ folder, packages }: CreateOptions): readonly string[] {
  const root = resolve(folder);
  const name = basename(root);
  if (!NAME.test(name)) {
    throw new CreateError(
      `"${name}" is no name of a package: use lower-case letters, digits, "-", "." and "_", a letter or digit first.`,
    );
  }
  if (existsSync(root) && readdirSync(root).length > 0) {
    throw new CreateError(`${root} has files in it: name a folder that is new, or empty.`);
  }
  const versions = { ...readVersions(), ...(packages === undefined ? {} : readPacked(packages)) };
  const isRunOn = (dependency: string): boolean =>
    RUNS_ON.includes(dependency) || (packages !== undefined && dependency.startsWith(OWN_PREFIX));
  const select = (wanted: boolean): Record<string, string> =>
    Object.fromEntries(
      Object.entries(versions)
        .filter(([dependency]) => isRunOn(dependency) === wanted)
        .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    );
  const manifest = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=22.18' },
    scripts: { start: 'node src/main.ts', test: 'vitest run', types: 'tsc' },
    dependencies: select(true),
    devDependencies: select(false),
  };
  const files = { 'package.json': `${JSON.stringify(manifest, undefined, 2)}\n`, ...PROJECT_FILES };
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CreateError(
      `${root} cannot be written by this user (${code}): name a folder in one where you may write.`,
    );
  }
  return Object.keys(files);
}

/** The versions that this package was tested with: they stand in its own manifest once it is packed. */
function readVersions(): Readonly<Record<string, string>> {
  const path = join(import.meta.dirname, '../package.json');
  const { devDependencies } = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  for (const [name, version] of Object.entries(devDependencies)) {
    if (!/^\d/u.test(version)) {
      throw new CreateError(
        `${path} has no version of ${name} yet: run this from the packed package ("pnpm pack"), not from its sources.`,
      );
    }
  }
  return devDependencies;
}

function readPacked(folder: string): Readonly<Record<string, string>> {
  const root = resolve(folder);
  const found = (existsSync(root) ? readdirSync(root) : []).flatMap((file): [string, string][] => {
    const [, name] = PACKED.exec(file) ?? [];
    return name === undefined ? [] : [[`${OWN_PREFIX}${name}`, `file:${join(root, file)}`]];
  });
  if (!found.some(([name]) => name === `${OWN_PREFIX}region`)) {
    throw new CreateError(
      `${root} has no packed @tandem/region: pack the packages into it with "pnpm run release --out ${root}".`,
    );
  }
  return Object.fromEntries(found.filter(([name]) => name !== `${OWN_PREFIX}create`));
}
