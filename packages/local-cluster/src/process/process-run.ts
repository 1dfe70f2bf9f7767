import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { LocalClusterError } from '../local-cluster-error.ts';
import type { BoundedLog } from './bounded-log.ts';
import { argumentsOf, environmentOf, type Program } from './program.ts';

const LINE_LENGTH_MAX = 64 * 1024;

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly error?: Error;
}

/** One run of a program, from its start to its end. */
export interface ProcessRun {
  readonly pid: number | undefined;
  readonly ended: Promise<ProcessEnd>;
  /** Rejects with PROCESS_FAILED when it ends before, or is not ready in time. */
  untilReady(startMsMax: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export function runProgram(program: Program, log: BoundedLog): ProcessRun {
  const child = spawn(process.execPath, argumentsOf(program), {
    env: environmentOf(program),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Its own process group: a Ctrl-C in the terminal reaches the cluster alone, which then stops
    // its processes in order. The channel above ends them when the cluster dies.
    detached: true,
  });
  const ended = untilEnded(child);
  const ready = watchOutput(child, program, log);
  return {
    pid: child.pid,
    ended,
    signal: (signal) => void child.kill(signal),
    async untilReady(startMsMax) {
      const deadline = Promise.withResolvers<'late'>();
      const timer = setTimeout(() => deadline.resolve('late'), startMsMax);
      const outcome = await Promise.race([ready, deadline.promise, ended]);
      clearTimeout(timer);
      if (outcome === 'ready') return;
      if (outcome === 'late') child.kill('SIGKILL');
      throw new LocalClusterError(
        'PROCESS_FAILED',
        describeFailure(
          program.name,
          outcome === 'late' ? `was not ready in ${startMsMax} ms` : describeEnd(outcome),
          log,
        ),
      );
    },
  };
}

export function describeEnd(end: ProcessEnd): string {
  if (end.error !== undefined) return `could not be started: ${end.error.message}`;
  return end.signal === null ? `ended with exit code ${end.code}` : `was ended by ${end.signal}`;
}

export function describeFailure(name: string, what: string, log: BoundedLog): string {
  const lines = log.lastLines().map((line) => `  | ${line}`);
  return [`The ${name} ${what}. The last lines of ${log.file}:`, ...lines].join('\n');
}

/** Resolves after its last output was read; never rejects. */
function untilEnded(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function watchOutput(child: ChildProcess, program: Program, log: BoundedLog): Promise<'ready'> {
  const ready = Promise.withResolvers<'ready'>();
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    let rest: string | undefined = '';
    stream.on('data', (chunk: Buffer) => {
      log.write(chunk);
      if (rest === undefined) return;
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()?.slice(-LINE_LENGTH_MAX);
      if (!lines.some((line) => program.isReadyLine(line))) return;
      rest = undefined;
      ready.resolve('ready');
    });
  }
  return ready.promise;
}
