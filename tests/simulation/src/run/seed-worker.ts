import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RunOptions } from './run-seed.ts';
import type { SeedResult } from './seed-result.ts';

/** A process with the code loaded, as it is or with a mutant, that runs one seed at a time. */
export interface SeedWorker {
  run(options: RunOptions): Promise<SeedResult>;
  close(): Promise<void>;
}

/** What a process answered, or how it ended in place of an answer. */
type Answer =
  | { readonly result: SeedResult }
  | { readonly signal: string }
  | { readonly why: string };

/** A run that takes longer hangs, in real time. */
const RUN_MS_MAX = 120_000;
/** An idle process ends at once when it is told to. */
const CLOSE_MS_MAX = 5_000;
/**
 * With these the runtime ends itself when something is wrong in it. A seed gives the same run every time,
 * so a second process tells whether it was the seed's doing.
 */
const RUNTIME_SIGNALS: readonly string[] = ['SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS'];

const PROGRAM = new URL('./worker.ts', import.meta.url);

/** Throws when the code, or the mutant in it, cannot be loaded: that says nothing about the code. */
export async function startSeedWorker(mutant?: string, program = PROGRAM): Promise<SeedWorker> {
  let child = await startProcess(program, mutant);
  return {
    async run(options) {
      const answer = await ask(child, options);
      if (!('signal' in answer) || !RUNTIME_SIGNALS.includes(answer.signal)) {
        return resultOf(answer, options.seed);
      }
      process.emitWarning(
        `node ended with ${answer.signal} in seed ${options.seed}: run once more`,
      );
      child = await startProcess(program, mutant);
      return resultOf(await ask(child, options), options.seed);
    },
    close: () => endProcess(child),
  };
}

async function startProcess(program: URL, mutant: string | undefined): Promise<ChildProcess> {
  const child = fork(program, mutant === undefined ? [] : [mutant], {
    serialization: 'advanced',
    // A test runner's own options are none of the simulation's.
    execArgv: [],
  });
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`the code could not be loaded: it ended with ${signal ?? code}`)),
    );
  });
  child.removeAllListeners();
  return child;
}

function ask(child: ChildProcess, options: RunOptions): Promise<Answer> {
  return new Promise((resolve) => {
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(answer);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end({ why: `no end within ${RUN_MS_MAX} ms` });
    }, RUN_MS_MAX);
    if (child.exitCode !== null || child.signalCode !== null) {
      return end({ why: `it had ended with ${child.signalCode ?? child.exitCode}` });
    }
    child.once('message', (result) => end({ result: result as SeedResult }));
    child.once('exit', (code, signal) =>
      end(signal === null ? { why: `it ended with exit code ${code}` } : { signal }),
    );
    child.once('error', ({ message }) => end({ why: message }));
    child.send(options);
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS_MAX);
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
  clearTimeout(timer);
}

function resultOf(answer: Answer, seed: number): SeedResult {
  if ('result' in answer) return answer.result;
  return brokenResult(seed, 'signal' in answer ? `it ended with ${answer.signal}` : answer.why);
}

/** A process that died has shown that something is wrong as surely as a checker. */
function brokenResult(seed: number, message: string): SeedResult {
  return {
    seed,
    operations: 0,
    acknowledged: 0,
    events: 0,
    simulatedMs: 0,
    digest: '',
    violations: [{ checker: 'broken', message }],
    faults: {},
    happened: [],
    sitesSeen: [],
    sitesCrashed: [],
  };
}
