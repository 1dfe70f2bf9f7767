import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** A Node program of this machine that is part of what is measured. */
export interface RunningProgram {
  readonly name: string;
  readonly child: ChildProcess;
  /** The line with which it said that it is ready. */
  readonly readyLine: string;
  /** Processor time of its own so far, in milliseconds. */
  cpuMs(): number;
  /** Resident memory now. */
  memoryMib(): number;
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly name: string;
  readonly main: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
  /** By default a line of JSON whose event is `ready`. */
  readonly isReadyLine?: (line: string) => boolean;
  readonly stopSignal?: NodeJS.Signals;
  /** Of what is sent to it and comes back; JSON by default. */
  readonly serialization?: 'json' | 'advanced';
}

const READY_MS_MAX = 120_000;
const STOP_MS_MAX = 15_000;
const OUTPUT_LENGTH_MAX = 4_000;
/** Of the kernel's accounting, which Linux fixes for user space. */
const TICKS_PER_SECOND = 100;

/** Starts it and waits until it says that it is ready. */
export async function startProgram(options: ProgramOptions): Promise<RunningProgram> {
  const { name, main, args = [], env = {}, nodeFlags = [], isReadyLine = isReadyEvent } = options;
  const child = fork(main, args, {
    env: { ...process.env, ...env },
    execArgv: [...nodeFlags],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: options.serialization ?? 'json',
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const readyLine = await untilReady(name, child, isReadyLine);
  return {
    name,
    child,
    readyLine,
    cpuMs: () => readCpuMs(child.pid),
    memoryMib: () => readMemoryMib(child.pid),
    stop: () => stopChild(child, options.stopSignal ?? 'SIGTERM'),
  };
}

/** Linux tells it of any process; a pid that is gone has used nothing. */
function readCpuMs(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

function readMemoryMib(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1_024;
}

function isReadyEvent(line: string): boolean {
  return line.startsWith('{') && line.includes('"event":"ready"') && line.endsWith('}');
}

async function untilReady(
  name: string,
  child: ChildProcess,
  isReadyLine: (line: string) => boolean,
): Promise<string> {
  let output = '';
  const ready = Promise.withResolvers<string>();
  const fail = (what: string): void =>
    ready.reject(new Error(`${name} ${what}: ${output.trim() || 'it printed nothing'}`));
  const streams = [child.stdout, child.stderr] as Readable[];
  const read = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
    const line = output.split('\n').find(isReadyLine);
    if (line !== undefined) ready.resolve(line);
  };
  for (const stream of streams) stream.on('data', read);
  child.once('exit', (code, signal) => fail(`ended with ${signal ?? code}`));
  const timer = setTimeout(() => fail('was not ready in time'), READY_MS_MAX);
  try {
    return await ready.promise;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
    // What it says from then on is let through unread: reading would take of the time that is measured.
    for (const stream of streams) stream.off('data', read).resume();
  }
}

async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  child.kill(signal);
  await ended;
  clearTimeout(timer);
}
