import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const QUEUE = 'bench';

/** Bare rhea, or the emulator with what it keeps its messages in. */
export type BrokerKind = 'bare' | 'memory' | 'folder';

const EMULATOR_ARGS = ['--amqp-port', '0', '--admin-port', '0', '--queues', QUEUE];

interface Broker {
  readonly amqpPort: number;
  /** Is empty for the bare one. */
  readonly connectionString: string;
  /** From the start of the process to its line. */
  readonly startMs: number;
  /** Resident memory in mebibytes; undefined where the system does not tell. */
  readonly memoryMebibytes: () => Promise<number | undefined>;
  /** Processor time since its start, to ten milliseconds; undefined where the system does not tell. */
  readonly processorMs: () => Promise<number | undefined>;
  stop(): Promise<void>;
}

const KIBIBYTES_PER_MEBIBYTE = 1_024;

async function readMemory({ pid }: ChildProcess): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) / KIBIBYTES_PER_MEBIBYTE;
}

/** The kernel counts in ticks of this length. */
const TICK_MS = 10;
/** Where user and system time stand behind the program's name. */
const TIME_FIELDS = [11, 12] as const;

async function readProcessorTime({ pid }: ChildProcess): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return TIME_FIELDS.reduce((sum, field) => sum + Number(fields[field]), 0) * TICK_MS;
}

/** Runs a program that prints a line when it is ready. */
async function startBroker(program: URL, args: readonly string[]): Promise<Broker> {
  const path = fileURLToPath(program);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const line = await Promise.race([once(lines, 'line'), exited.then(() => undefined)]);
  if (line === undefined) throw new Error(`${path} ended before it was ready`);
  const said = JSON.parse(String(line[0])) as { amqpPort: number; connectionString?: string };
  return {
    amqpPort: said.amqpPort,
    connectionString: said.connectionString ?? '',
    startMs: performance.now() - startedAt,
    memoryMebibytes: () => readMemory(child),
    processorMs: () => readProcessorTime(child),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Runs the work with a broker in a process of its own, which is stopped in any case. */
export async function withBroker<T>(
  kind: BrokerKind,
  work: (broker: Broker) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-bench.'));
  try {
    const location = kind === 'folder' ? ['--location', folder] : [];
    const broker =
      kind === 'bare'
        ? await startBroker(new URL('./bare-broker.ts', import.meta.url), [])
        : await startBroker(new URL('../main.ts', import.meta.url), [
            ...EMULATOR_ARGS,
            ...location,
          ]);
    try {
      return await work(broker);
    } finally {
      await broker.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
