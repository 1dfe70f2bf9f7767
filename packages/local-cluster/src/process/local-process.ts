import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { LocalClusterError } from '../local-cluster-error.ts';

/** Says what to run, and how it tells that it runs. */
export interface Program {
  /** Names it for people, and its log: `east API`. */
  readonly name: string;
  /** Is the absolute path of the file that Node runs. */
  readonly main: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly isReadyLine: (line: string) => boolean;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** Tells whether it ends on its own when the channel to its parent closes. */
  readonly watchesParent: boolean;
}

// A stray PORT or LOG_LEVEL of the shell must not reach what runs here.
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'NODE_COMPILE_CACHE'];

function environmentOf(program: Program): Record<string, string> {
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const parent = program.watchesParent
    ? { TANDEM_EXIT_WITH_PARENT: '1' }
    : { TANDEM_STOP_SIGNAL: program.stopSignal };
  return { ...Object.fromEntries(passedOn), NO_COLOR: '1', ...parent, ...program.env };
}

/** Is preloaded into a program with a channel to its parent, so that it does not outlive it. */
export const EXIT_WITH_PARENT = import.meta.resolve('./exit-with-parent.ts');

function argumentsOf(program: Program): string[] {
  const imports = program.watchesParent ? [] : ['--import', EXIT_WITH_PARENT];
  return [...imports, program.main, ...program.args];
}

/** Knows the line that every service of ours prints when it listens. */
export function isReadyEvent(line: string): boolean {
  if (!line.startsWith('{') || !line.includes('"ready"')) return false;
  try {
    return (JSON.parse(line) as { event?: unknown }).event === 'ready';
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;

/** Runs a program that can be started, stopped and started again under the same ports and data. */
export interface LocalProcess {
  readonly name: string;
  readonly logFile: string;
  /** Names the process that runs now. */
  readonly pid: number | undefined;
  /** Resolves when it is ready; rejects with PROCESS_FAILED. Nothing when it runs already. */
  start(): Promise<void>;
  /**
   * Asks it to stop, and ends it when it has not after a bound. Resolves when it is gone, to
   * whether it went by itself. Idempotent.
   */
  stop(): Promise<'stopped' | 'killed'>;
  /** SIGKILL, sent before this returns; resolves when it is gone. Idempotent. */
  kill(): Promise<void>;
  /** Sends SIGSTOP: it keeps its sockets and answers nobody. */
  pause(): Promise<void>;
  resume(): void;
}

export interface LocalProcessOptions {
  readonly program: Program;
  readonly logFile: string;
  /** It ended though nobody asked for it; the message quotes its last lines. */
  readonly onUnexpectedEnd: (end: ProcessEnd, message: string) => void;
}

interface Current {
  readonly run: ProcessRun;
  readonly ready: Promise<void>;
  /** Its end is not unexpected. */
  isEnding: boolean;
  guard?: PauseGuard | undefined;
}

export function createLocalProcess(options: LocalProcessOptions): LocalProcess {
  const { program, logFile } = options;
  let current: Current | undefined;

  return {
    name: program.name,
    logFile,
    get pid() {
      return current?.run.pid;
    },
    async start() {
      if (current === undefined) {
        const begun = begin(options);
        current = begun;
        void begun.run.ended.then(() => (current = current === begun ? undefined : current));
      }
      const { run, ready } = current;
      try {
        await ready;
      } catch (error) {
        await run.ended;
        throw error;
      }
    },
    async stop() {
      return current === undefined ? 'stopped' : await stopRun(current, program.stopSignal);
    },
    async kill() {
      if (current === undefined) return;
      current.isEnding = true;
      current.run.signal('SIGKILL');
      await current.run.ended;
    },
    async pause() {
      if (current?.run.pid === undefined) return;
      current.guard ??= await guardPaused(current.run.pid);
      current.run.signal('SIGSTOP');
    },
    resume() {
      current?.run.signal('SIGCONT');
      if (current !== undefined) releaseGuard(current);
    },
  };
}

function begin({ program, logFile, onUnexpectedEnd }: LocalProcessOptions): Current {
  const log = openBoundedLog(logFile);
  const run = runProgram(program, log);
  const begun: Current = { run, ready: run.untilReady(START_MS_MAX), isEnding: false };
  const watch = async (): Promise<void> => {
    const isReady = await begun.ready.then(
      () => true,
      () => false,
    );
    const end = await run.ended;
    releaseGuard(begun);
    log.close();
    if (isReady && !begun.isEnding) {
      onUnexpectedEnd(end, describeFailure(program.name, describeEnd(end), log));
    }
  };
  void watch();
  return begun;
}

async function stopRun(current: Current, signal: NodeJS.Signals): Promise<'stopped' | 'killed'> {
  const { run } = current;
  current.isEnding = true;
  let outcome: 'stopped' | 'killed' = 'stopped';
  const timer = setTimeout(() => {
    outcome = 'killed';
    run.signal('SIGKILL');
  }, STOP_MS_MAX);
  run.signal(signal);
  // One that is paused would never see it.
  run.signal('SIGCONT');
  await run.ended;
  clearTimeout(timer);
  return outcome;
}

function releaseGuard(current: Current): void {
  current.guard?.release();
  current.guard = undefined;
}

/** Sees to it that a paused process does not outlive the one that paused it; released, it lets it go on. */
interface PauseGuard {
  release(): void;
}

// A paused process cannot notice that its parent has died. This one can: it lets the paused one go
// on, which then ends by itself.
const GUARD = `
process.once('disconnect', () => {
  try {
    process.kill(Number(process.argv[1]), 'SIGCONT');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
});
process.send('watching');
`;

/** Resolves when the guard watches. */
async function guardPaused(pid: number): Promise<PauseGuard> {
  const guard: ChildProcess = spawn(process.execPath, ['-e', GUARD, String(pid)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
  });
  await once(guard, 'message');
  return {
    release: () => {
      if (guard.connected) guard.disconnect();
    },
  };
}

const LINE_LENGTH_MAX = 64 * 1024;

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Says why it could not be started at all. */
  readonly error?: Error;
}

/** Is one run of a program, from its start to its end. */
interface ProcessRun {
  readonly pid: number | undefined;
  readonly ended: Promise<ProcessEnd>;
  /** Rejects with PROCESS_FAILED when it ends before, or is not ready in time. */
  untilReady(startMsMax: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

function runProgram(program: Program, log: BoundedLog): ProcessRun {
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

function describeEnd(end: ProcessEnd): string {
  if (end.error !== undefined) return `could not be started: ${end.error.message}`;
  return end.signal === null ? `ended with exit code ${end.code}` : `was ended by ${end.signal}`;
}

function describeFailure(name: string, what: string, log: BoundedLog): string {
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

const LOG_BYTES_MAX = 8 * 1024 * 1024;
const TAIL_LENGTH_MAX = 16 * 1024;
export const TAIL_LINES_MAX = 15;

/** Keeps what a process printed: in a file, and its end in memory. */
interface BoundedLog {
  readonly file: string;
  write(chunk: Buffer): void;
  lastLines(): readonly string[];
  close(): void;
}

/**
 * Begins the file anew. What was in it becomes `<file>.1`, over the one before, now and whenever it
 * is full: two files of `bytesMax` are all that a process can fill.
 */
export function openBoundedLog(file: string, bytesMax: number = LOG_BYTES_MAX): BoundedLog {
  let descriptor: number | undefined = beginAnew(file);
  let bytes = 0;
  let tail = '';

  const rotate = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = beginAnew(file);
    bytes = 0;
  };

  return {
    file,
    write(chunk) {
      if (descriptor === undefined) return;
      tail = (tail + chunk.toString()).slice(-TAIL_LENGTH_MAX);
      if (bytes + chunk.length > bytesMax && bytes > 0) rotate();
      writeSync(descriptor, chunk);
      bytes += chunk.length;
    },
    lastLines: () => tail.trimEnd().split('\n').slice(-TAIL_LINES_MAX),
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

function beginAnew(file: string): number {
  if (existsSync(file)) renameSync(file, `${file}.1`);
  return openSync(file, 'w');
}
