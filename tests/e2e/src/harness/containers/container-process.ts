import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { LocalProcess } from '@tandem/local-cluster';
import type { StartedTestContainer } from 'testcontainers';
import type { ContainerPlan } from './container-plan.ts';
import { startContainer } from './hardened-container.ts';
import { type Container, type Runtime, settled } from './runtime.ts';
import { untilAnswers } from './until-answers.ts';

const STOP_SECONDS_MAX = 20;

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
  let started: StartedTestContainer | undefined;
  const container = (): Container | undefined =>
    id === undefined ? undefined : runtime.container.getById(id);

  const create = async (): Promise<void> => {
    started = await startContainer(plan, async (created) => {
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
    await settled(writeLog(existing, logFile));
    // One that has something beside it takes that along.
    if (plan.official !== undefined) await started?.stop({ remove: false });
    await settled(existing.remove({ force: true, v: true }));
    id = undefined;
    started = undefined;
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

async function writeLog(container: Container, file: string): Promise<void> {
  const log = await container.logs({ stdout: true, stderr: true, follow: false });
  const sink = createWriteStream(file, { flags: 'a' });
  sink.end(withoutFrames(log));
  await finished(sink);
}

/** The engine sends a log in frames: the stream's number, the length in the last four bytes of eight. */
const FRAME_HEADER_BYTES = 8;

function withoutFrames(log: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= log.length; ) {
    const from = at + FRAME_HEADER_BYTES;
    at = from + log.readUInt32BE(at + FRAME_HEADER_BYTES / 2);
    parts.push(log.subarray(from, at));
  }
  return Buffer.concat(parts);
}
