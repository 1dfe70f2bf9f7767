import { setTimeout as delay } from 'node:timers/promises';
import { createLocalProcess, type LocalProcess, type Program } from '../process/local-process.ts';

export interface SupervisedProcessOptions {
  readonly program: Program;
  readonly logFile: string;
  readonly onEvent: ClusterListener;
  /** Without one, a process that ends unexpectedly is reported and left down. */
  readonly restart?: RestartPolicy | undefined;
  /** Is aborted when the cluster stops: nothing is started again then. */
  readonly stopping: AbortSignal;
}

/** Runs a local process whose life is told, and which is started again when it ends unexpectedly. */
export function createSupervisedProcess(options: SupervisedProcessOptions): LocalProcess {
  const { program, logFile, onEvent, restart, stopping } = options;
  let history: RestartHistory = { tries: 0 };
  let startedMs = 0;

  const start = async (): Promise<void> => {
    stopping.throwIfAborted();
    if (inner.pid !== undefined) return inner.start();
    onEvent({ kind: 'starting', process: program.name });
    startedMs = performance.now();
    await inner.start();
    const durationMs = Math.round(performance.now() - startedMs);
    onEvent({ kind: 'ready', process: program.name, durationMs });
  };

  const startAgain = async (policy: RestartPolicy, isFirstKilled: boolean): Promise<void> => {
    let isKilled = isFirstKilled;
    while (!stopping.aborted) {
      const livedMs = performance.now() - startedMs;
      const decision = decideRestart(policy, history, { livedMs, isKilled });
      isKilled = false;
      if (decision.kind === 'give-up') {
        onEvent({ kind: 'given-up', process: program.name, tries: decision.tries });
        return;
      }
      history = decision.history;
      onEvent({ kind: 'restarting', process: program.name, delayMs: decision.delayMs });
      const isStopping = await delay(decision.delayMs, false, { signal: stopping }).catch(
        () => true,
      );
      if (isStopping) return;
      try {
        await start();
        return;
      } catch (error) {
        if (stopping.aborted) return;
        onEvent({ kind: 'ended', process: program.name, message: messageOf(error) });
      }
    }
  };

  const inner = createLocalProcess({
    program,
    logFile,
    onUnexpectedEnd: ({ signal }, message) => {
      onEvent({ kind: 'ended', process: program.name, message });
      if (restart !== undefined) void startAgain(restart, signal === 'SIGKILL');
    },
  });

  return {
    name: inner.name,
    logFile,
    get pid() {
      return inner.pid;
    },
    start,
    stop: () => stopAndTell(inner, options),
    kill: () => inner.kill(),
    pause: () => inner.pause(),
    resume: () => inner.resume(),
  };
}

async function stopAndTell(
  process: LocalProcess,
  { program, onEvent }: SupervisedProcessOptions,
): ReturnType<LocalProcess['stop']> {
  const outcome = await process.stop();
  if (outcome === 'killed') onEvent({ kind: 'killed', process: program.name });
  return outcome;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Says how often, and when, a process that ended unexpectedly is started again. */
export interface RestartPolicy {
  /** Counts restarts in a row: a process that lived for `steadyMs` begins anew. */
  readonly triesMax: number;
  readonly delayMsFirst: number;
  readonly delayMsMax: number;
  readonly steadyMs: number;
  /**
   * Is how long one stays down that somebody killed: for as long as people watch what its loss is like. By default as
   * long as one that ended by itself.
   */
  readonly killedMs?: number;
}

export const RESTART_POLICY: RestartPolicy = {
  triesMax: 5,
  delayMsFirst: 500,
  delayMsMax: 8_000,
  steadyMs: 60_000,
};

/** Counts the restarts in a row, this end not among them. */
export interface RestartHistory {
  readonly tries: number;
}

type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: RestartHistory }
  | { readonly kind: 'give-up'; readonly tries: number };

/** Is how a process ended, and after how long. */
interface End {
  readonly livedMs: number;
  readonly isKilled: boolean;
}

export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  { livedMs, isKilled }: End,
): RestartDecision {
  const tries = livedMs >= policy.steadyMs ? 0 : history.tries;
  if (tries >= policy.triesMax) return { kind: 'give-up', tries };
  const ownMs = Math.min(policy.delayMsFirst * 2 ** tries, policy.delayMsMax);
  const delayMs = isKilled ? (policy.killedMs ?? ownMs) : ownMs;
  return { kind: 'restart', delayMs, history: { tries: tries + 1 } };
}

/** Tells whoever watches a cluster what happens, in that order. */
export type ClusterEvent =
  | { readonly kind: 'starting'; readonly process: string }
  | { readonly kind: 'ready'; readonly process: string; readonly durationMs: number }
  /** Nobody asked for it; the message has its exit code and its last lines. */
  | { readonly kind: 'ended'; readonly process: string; readonly message: string }
  | { readonly kind: 'restarting'; readonly process: string; readonly delayMs: number }
  | { readonly kind: 'given-up'; readonly process: string; readonly tries: number }
  /** It did not stop by itself and was killed. */
  | { readonly kind: 'killed'; readonly process: string };

export type ClusterListener = (event: ClusterEvent) => void;
