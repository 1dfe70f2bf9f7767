import { setTimeout as delay } from 'node:timers/promises';
import { createLocalProcess, type LocalProcess } from '../process/local-process.ts';
import type { Program } from '../process/program.ts';
import type { ClusterListener } from './cluster-event.ts';
import { decideRestart, type RestartHistory, type RestartPolicy } from './restart-policy.ts';

export interface SupervisedProcessOptions {
  readonly program: Program;
  readonly logFile: string;
  readonly onEvent: ClusterListener;
  /** Without one, a process that ends unexpectedly is reported and left down. */
  readonly restart?: RestartPolicy | undefined;
  /** Aborted when the cluster stops: nothing is started again then. */
  readonly stopping: AbortSignal;
}

/** A local process whose life is told, and which is started again when it ends unexpectedly. */
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

  const startAgain = async (policy: RestartPolicy): Promise<void> => {
    while (!stopping.aborted) {
      const decision = decideRestart(policy, history, performance.now() - startedMs);
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
    onUnexpectedEnd: (_end, message) => {
      onEvent({ kind: 'ended', process: program.name, message });
      if (restart !== undefined) void startAgain(restart);
    },
  });

  return {
    name: inner.name,
    logFile,
    get pid() {
      return inner.pid;
    },
    start,
    async stop() {
      const outcome = await inner.stop();
      if (outcome === 'killed') onEvent({ kind: 'killed', process: program.name });
      return outcome;
    },
    kill: () => inner.kill(),
    pause: () => inner.pause(),
    resume: () => inner.resume(),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
