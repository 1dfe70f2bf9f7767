import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { RegionReport } from './region-process.ts';

export interface HostileOptions {
  readonly messages: number;
  readonly seed: number;
}

export interface HostileReport extends RegionReport {
  readonly processesEnded: number;
  readonly seed: number;
}

const REGION_PROCESS = fileURLToPath(new URL('region-process.ts', import.meta.url));
const REPLICATOR_VALUES = new URL(
  '../../../helm/tandem/charts/replicator/values.yaml',
  import.meta.url,
);

/** What the chart gives a replicator, in MiB. */
export async function readMemoryLimitMiB(): Promise<number> {
  const values = await readFile(REPLICATOR_VALUES, 'utf8');
  const limit = /limits: \{ memory: (\d+)Mi \}/.exec(values)?.[1];
  if (limit === undefined)
    throw new Error('The chart of the replicator states no limit of memory.');
  return Number(limit);
}

/** Runs both regions in one process that has no more heap than the chart gives to one replicator. */
export async function runHostile({ messages, seed }: HostileOptions): Promise<HostileReport> {
  const heapMiB = await readMemoryLimitMiB();
  const args = [`--max-old-space-size=${heapMiB}`, REGION_PROCESS, String(messages), String(seed)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const line = stdout.trim().split('\n').at(-1) ?? '';
  const report =
    code === 0 ? (JSON.parse(line) as RegionReport) : { ...NOTHING, invariants: lastOf(stderr) };
  return { ...report, messages, processesEnded: code === 0 ? 0 : 1, seed };
}

const NOTHING = { refused: 0, applied: 0, blockedMsMax: 0, heapMiBMax: 0 };
const SHOWN_CHARACTERS = 2_000;

function lastOf(stderr: string): string {
  return `the process ended: ${stderr.slice(-SHOWN_CHARACTERS)}`;
}

export function hasHeld({ processesEnded, invariants, messages, refused, applied }: HostileReport) {
  return processesEnded === 0 && invariants === 'held' && refused + applied === messages;
}
