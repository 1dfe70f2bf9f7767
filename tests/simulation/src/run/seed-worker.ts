import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RunOptions } from './run-seed.ts';
import type { SeedResult } from './seed-result.ts';

/**
 * A process with the code loaded, as it is or with a mutant, that runs one seed at a time. After a failure
 * the next seed has a new one.
 */
export interface SeedWorker {
  run(options: RunOptions): Promise<SeedResult>;
  close(): Promise<void>;
}

/** What a process says of itself. After a failure it ends. */
export type WorkerMessage =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'result'; readonly result: SeedResult }
  | { readonly kind: 'failure'; readonly message: string };

type Answer = WorkerMessage | { readonly kind: 'ended'; readonly by: string };

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
  let child: ChildProcess | undefined = await startProcess(program, mutant);

  const answerTo = async (options: RunOptions): Promise<Answer> => {
    child ??= await startProcess(program, mutant);
    const answer = await ask(child, options);
    if (answer.kind === 'result') return answer;
    await endProcess(child);
    child = undefined;
    return answer;
  };

  return {
    async run(options) {
      const answer = await answerTo(options);
      if (answer.kind !== 'ended' || !RUNTIME_SIGNALS.includes(answer.by)) {
        return resultOf(answer, options.seed);
      }
      process.emitWarning(`node ended with ${answer.by} in seed ${options.seed}: run once more`);
      return resultOf(await answerTo(options), options.seed);
    },
    close: async () => {
      if (child !== undefined) await endProcess(child);
    },
  };
}

async function startProcess(program: URL, mutant: string | undefined): Promise<ChildProcess> {
  const child = fork(program, mutant === undefined ? [] : [mutant], {
    serialization: 'advanced',
    // A test runner's own options are none of the simulation's.
    execArgv: [],
  });
  // What cannot be sent to it is told by its end.
  child.on('error', () => undefined);
  const answer = await nextAnswer(child);
  if (answer.kind === 'loaded') return child;
  throw new Error(`the code could not be loaded: ${describe(answer)}`);
}

async function ask(child: ChildProcess, options: RunOptions): Promise<Answer> {
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  child.send(options);
  const answer = await nextAnswer(child);
  clearTimeout(timer);
  return answer;
}

/** What comes first of a process: a message, or its end. */
function nextAnswer(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve) => {
    const end = (answer: Answer): void => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onError);
      resolve(answer);
    };
    const onMessage = (message: unknown): void => end(message as WorkerMessage);
    const onExit = (code: number | null, signal: string | null): void =>
      end({ kind: 'ended', by: signal ?? `exit code ${code}` });
    const onError = ({ message }: Error): void => end({ kind: 'failure', message });
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', onError);
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS_MAX);
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
  clearTimeout(timer);
}

function resultOf(answer: Answer, seed: number): SeedResult {
  return answer.kind === 'result' ? answer.result : brokenResult(seed, answer);
}

function describe(answer: Answer): string {
  if (answer.kind === 'failure') return answer.message;
  if (answer.kind !== 'ended') return `its process said "${answer.kind}" out of turn`;
  // Which nobody else sends.
  if (answer.by === 'SIGKILL') return `no end within ${RUN_MS_MAX} ms, or killed`;
  return `its process ended with ${answer.by}`;
}

/** A process that died has shown that something is wrong as surely as a checker. */
function brokenResult(seed: number, answer: Answer): SeedResult {
  return {
    seed,
    operations: 0,
    acknowledged: 0,
    events: 0,
    simulatedMs: 0,
    recoveries: 0,
    // An error that nobody handled would have ended a process of the product.
    processesEnded: answer.kind === 'failure' ? 1 : 0,
    digest: '',
    violations: [{ checker: 'broken', message: describe(answer) }],
    faults: {},
    happened: [],
    sitesSeen: [],
    sitesCrashed: [],
  };
}
