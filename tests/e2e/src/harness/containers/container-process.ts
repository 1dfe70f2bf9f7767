import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { LocalProcess } from '@tandem/local-cluster';
import { until } from '../../customers-client.ts';
import { type ContainerPlan, healthUrlOf } from './container-plan.ts';
import { startContainer } from './hardened-container.ts';
import { type Container, type Runtime, settled } from './runtime.ts';

const START_MS_MAX = 60_000;
const STOP_SECONDS_MAX = 20;
const ASK_MS_MAX = 2_000;

/** A container with the handles of a process. */
export interface ContainerProcess extends LocalProcess {
  readonly containerId: string | undefined;
  /** Another image in its place, under the same name and ports; what was in its volumes is gone. */
  replace(plan: ContainerPlan): Promise<void>;
  /** Writes its log to `logFile` and removes it with its volumes. */
  remove(): Promise<void>;
}

export interface ContainerProcessOptions {
  readonly runtime: Runtime;
  readonly plan: ContainerPlan;
  readonly logFile: string;
  /** Puts it on its networks. */
  readonly connect: (plan: ContainerPlan, containerId: string) => Promise<void>;
}

export function createContainerProcess(options: ContainerProcessOptions): ContainerProcess {
  const { runtime, logFile } = options;
  let { plan } = options;
  let id: string | undefined;
  const container = (): Container | undefined =>
    id === undefined ? undefined : runtime.container.getById(id);

  const create = async (): Promise<void> => {
    await startContainer(plan, async (created) => {
      id = created;
      await options.connect(plan, created);
    });
  };
  const start = async (): Promise<void> => {
    const existing = container();
    if (existing === undefined) return create();
    await settled(existing.start());
    await untilAnswers(plan);
  };
  const remove = async (): Promise<void> => {
    const existing = container();
    if (existing === undefined) return;
    await writeLog(existing, logFile);
    await settled(existing.remove({ force: true, v: true }));
    id = undefined;
  };
  const stop = async (): Promise<'stopped' | 'killed'> => {
    const existing = container();
    if (existing === undefined) return 'stopped';
    await settled(existing.unpause().catch(ignoreNotPaused));
    await settled(existing.stop({ t: STOP_SECONDS_MAX }));
    const { State } = await existing.inspect();
    return State.ExitCode === KILLED ? 'killed' : 'stopped';
  };

  return {
    name: plan.name,
    logFile,
    pid: undefined,
    get containerId() {
      return id;
    },
    start,
    stop,
    async kill() {
      await settled(container()?.kill({ signal: 'SIGKILL' }) ?? Promise.resolve());
      await container()?.wait({ condition: 'not-running' });
    },
    async pause() {
      await settled(container()?.pause() ?? Promise.resolve());
    },
    resume() {
      void settled(container()?.unpause() ?? Promise.resolve());
    },
    async replace(next) {
      await stop();
      await remove();
      plan = next;
      await create();
    },
    remove,
  };
}

/** The exit code of a container that a SIGKILL ended. */
const KILLED = 137;
const NOT_PAUSED = 500;

/** The engine answers 500 to this one, and not the 409 of its kind. */
function ignoreNotPaused(error: { statusCode?: number }): void {
  if (error.statusCode !== NOT_PAUSED) throw error;
}

async function untilAnswers(plan: ContainerPlan): Promise<void> {
  const ask = async (): Promise<true | undefined> => {
    const response = await fetch(healthUrlOf(plan), { signal: AbortSignal.timeout(ASK_MS_MAX) });
    await response.body?.cancel();
    return response.ok || !plan.health.mustSucceed ? true : undefined;
  };
  await until(`${plan.name} to answer`, ask, START_MS_MAX);
}

async function writeLog(container: Container, file: string): Promise<void> {
  const sink = createWriteStream(file, { flags: 'a' });
  const log = await container.logs({ stdout: true, stderr: true, follow: false });
  sink.end(log);
  await finished(sink);
}
