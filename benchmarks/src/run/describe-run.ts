import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';

/** Where and of what a run was made: without it its figures say nothing. */
export interface RunDescription {
  readonly at: string;
  readonly commit: string;
  readonly node: string;
  readonly azurite: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  /** Processes that wanted to run, over the last minute before the start. */
  readonly loadBefore: number;
}

export function describeRun(): RunDescription {
  const [first] = cpus();
  return {
    at: new Date().toISOString(),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    node: process.version,
    azurite: versionOf('azurite/package.json'),
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function versionOf(manifest: string): string {
  const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve(manifest)), 'utf8')) as {
    version: string;
  };
  return version;
}
