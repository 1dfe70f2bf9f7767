import { openBoundedLog } from './bounded-log.ts';
import { guardPaused, type PauseGuard } from './pause-guard.ts';
import type { Program } from './program.ts';
import {
  describeEnd,
  describeFailure,
  type ProcessEnd,
  type ProcessRun,
  runProgram,
} from './process-run.ts';

const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;

/** A program that can be started, stopped and started again under the same ports and data. */
export interface LocalProcess {
  readonly name: string;
  readonly logFile: string;
  /** Of the process that runs now. */
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
  /** SIGSTOP: it keeps its sockets and answers nobody. */
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
