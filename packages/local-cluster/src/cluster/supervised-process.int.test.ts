import { describe, expect, it, onTestFinished } from 'vitest';
import { type Behaviour, sampleProgram, scratchFile } from '../testing/start-sample.ts';
import {
  type ClusterEvent,
  createSupervisedProcess,
  type RestartPolicy,
} from './supervised-process.ts';

const QUICK: RestartPolicy = { triesMax: 2, delayMsFirst: 1, delayMsMax: 1, steadyMs: 60_000 };

async function supervise(behaviour: Behaviour, restart?: RestartPolicy) {
  const events: ClusterEvent[] = [];
  const stopping = new AbortController();
  const supervised = createSupervisedProcess({
    program: sampleProgram(behaviour),
    logFile: await scratchFile('sample.log'),
    onEvent: (event) => events.push(event),
    restart,
    stopping: stopping.signal,
  });
  onTestFinished(async () => {
    stopping.abort();
    await supervised.kill();
  });
  const kinds = (): string[] => events.map(({ kind }) => kind);
  const killFromOutside = (): void => {
    if (supervised.pid !== undefined) process.kill(supervised.pid, 'SIGKILL');
  };
  return { supervised, kinds, killFromOutside, stopping };
}

describe('a supervised process', () => {
  it('is started again when it ends unexpectedly, until it has ended too often', async () => {
    const { supervised, kinds, killFromOutside } = await supervise('run', QUICK);
    await supervised.start();
    const afterKill = ['ended', 'restarting', 'starting', 'ready'];
    const expected = ['starting', 'ready', ...afterKill, ...afterKill];
    for (const length of [6, 10]) {
      killFromOutside();
      await expect.poll(kinds).toHaveLength(length);
    }
    expect(kinds()).toEqual(expected);
    killFromOutside();
    await expect.poll(kinds).toEqual([...expected, 'ended', 'given-up']);
    expect(supervised.pid).toBeUndefined();
  });

  it('is left down where nobody wants it started again', async () => {
    const { supervised, kinds, killFromOutside } = await supervise('run');
    await supervised.start();
    killFromOutside();
    await expect.poll(kinds).toEqual(['starting', 'ready', 'ended']);
  });

  it('is not started any more once the cluster stops', async () => {
    const { supervised, stopping } = await supervise('run', QUICK);
    stopping.abort();
    await expect(supervised.start()).rejects.toThrow('aborted');
    expect(supervised.pid).toBeUndefined();
  });
});
