import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_FOLDER, HELM_FOLDER } from '../tools/folders.ts';
import { runTool, type ToolRun } from '../tools/run-tool.ts';
import { unpackTool } from '../tools/unpack-tools.ts';
import { type Release, valuesFiles } from './releases.ts';

export const CHART = `${HELM_FOLDER}/tandem`;
const NAMESPACE = 'tandem';

export interface RenderOptions {
  /** YAML that is put on top of the files. */
  readonly extraValues?: string;
  /** As `1.34`; helm's own otherwise. */
  readonly kubeMinor?: string;
  /** A copy of the chart, for instance; ours otherwise. */
  readonly chart?: string;
}

export function lintChart(release: Release): Promise<ToolRun> {
  return helm(['lint', '--strict', CHART, ...valuesArgs(release)]);
}

/** What `helm install` would send, hooks and tests included. */
export async function renderChart(
  release: Release,
  { extraValues, kubeMinor, chart = CHART }: RenderOptions = {},
): Promise<ToolRun> {
  const minor = kubeMinor === undefined ? [] : ['--kube-version', `${kubeMinor}.0`];
  const args = ['template', 'tandem', chart, '-n', NAMESPACE, ...valuesArgs(release), ...minor];
  if (extraValues === undefined) return helm(args);
  const file = writeValues(extraValues);
  try {
    return await helm([...args, '-f', file]);
  } finally {
    rmSync(file);
  }
}

/** The same for values that stand in no file. */
export async function renderValues({
  name,
  namespace,
  values,
}: {
  readonly name: string;
  readonly namespace: string;
  readonly values: string;
}): Promise<ToolRun> {
  const file = writeValues(values);
  try {
    return await helm(['template', name, CHART, '-n', namespace, '-f', file]);
  } finally {
    rmSync(file);
  }
}

/** What `helm install` would print; its notes are not part of a template. */
export function renderNotes(release: Release): Promise<ToolRun> {
  const args = ['install', 'tandem', CHART, '-n', NAMESPACE, '--dry-run=client'];
  return helm([...args, ...valuesArgs(release)]);
}

export function helm(args: readonly string[]): Promise<ToolRun> {
  return runTool(unpackTool('helm'), args);
}

function valuesArgs(release: Release): string[] {
  return valuesFiles(release).flatMap((file) => ['-f', file]);
}

function writeValues(text: string): string {
  mkdirSync(CACHE_FOLDER, { recursive: true });
  const path = join(CACHE_FOLDER, `values-${randomUUID()}.yaml`);
  writeFileSync(path, text);
  return path;
}
