import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  findTakenPorts,
  holdPort,
  listPorts,
  planPorts,
  releasePort,
  reserveFreePorts,
} from '../ports/port-plan.ts';
import { isAlive, scratchFile } from '../testing/start-sample.ts';
import { type Cluster, type ClusterOptions, REGIONS_DEFAULT } from './cluster.ts';
import { startCluster } from './start-cluster.ts';

const CUSTOMER = 'customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const PATIENCE = { timeout: 60_000, interval: 200 };
const SLOW_MS = 240_000;

async function start(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  onTestFinished(() => cluster.stop());
  return cluster;
}

function pidsOf({ regions, trafficManager }: Cluster): number[] {
  const processes = regions.flatMap(({ api, replicator, store, broker }) => [
    api,
    replicator,
    store,
    broker,
  ]);
  return [trafficManager, ...processes].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
}

async function write(url: string, firstName: string): Promise<number> {
  const response = await fetch(`${url}/${CUSTOMER}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ada@example.com', firstName }),
  });
  return response.status;
}

async function readName(url: string): Promise<unknown> {
  const response = await fetch(`${url}/${CUSTOMER}`);
  const body = (await response.json()) as { firstName?: unknown };
  return body.firstName;
}

const portsOf = (base: number) => listPorts(planPorts(base, REGIONS_DEFAULT));

describe('a cluster', () => {
  it(
    'replicates, survives the loss of a region, and leaves nothing behind',
    async () => {
      const cluster = await start();
      const [east, west] = [cluster.region('east'), cluster.region('west')];
      expect(await write(east.addresses.api, 'Ada')).toBe(201);
      await expect.poll(() => readName(west.addresses.api), PATIENCE).toBe('Ada');
      expect(await readName(cluster.trafficManagerUrl)).toBe('Ada');

      await east.kill();
      expect(east.api.pid ?? east.store.pid ?? east.broker.pid).toBeUndefined();
      expect(await write(west.addresses.api, 'Augusta')).toBe(200);
      await east.start();
      await east.untilReady();
      expect(await readName(east.addresses.api)).toBe('Augusta');

      const pids = pidsOf(cluster);
      expect(pids).toHaveLength(9);
      await Promise.all([cluster.stop(), cluster.stop()]);
      expect(pids.filter(isAlive)).toEqual([]);
      expect(await findTakenPorts(portsOf(cluster.portBase))).toEqual([]);
      expect(existsSync(cluster.dataFolder)).toBe(false);
    },
    SLOW_MS,
  );

  it(
    'I15: fails its stop when a process has ended by itself, and leaves nothing behind all the same',
    async () => {
      const ended: string[] = [];
      const cluster = await startCluster({
        onEvent: (event) => {
          if (event.kind === 'ended') ended.push(event.process);
        },
      });
      const pids = pidsOf(cluster);
      const { pid } = cluster.region('west').replicator;
      if (pid === undefined) throw new Error('the replicator does not run');
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => ended, PATIENCE).toEqual(['replicator of west']);
      await expect(cluster.stop()).rejects.toMatchObject({
        code: 'PROCESS_FAILED',
        message: expect.stringContaining('The replicator of west was ended by SIGKILL'),
      });
      expect(pids.filter(isAlive)).toEqual([]);
    },
    SLOW_MS,
  );

  it(
    'keeps its data from run to run, also on other ports',
    async () => {
      const dataFolder = await scratchFile('data');
      const first = await start({ dataFolder });
      expect(await write(first.region('east').addresses.api, 'Ada')).toBe(201);
      await first.stop();
      const second = await start({ dataFolder });
      expect(second.portBase).not.toBe(first.portBase);
      expect(await readName(second.region('east').addresses.api)).toBe('Ada');
      expect(await write(second.region('west').addresses.api, 'Augusta')).toBeLessThan(300);
      const { api } = second.region('east').addresses;
      await expect.poll(() => readName(api), PATIENCE).toBe('Augusta');
    },
    SLOW_MS,
  );

  it('starts nothing when a port is taken', async () => {
    const reserved = await reserveFreePorts(REGIONS_DEFAULT);
    onTestFinished(() => reserved.release());
    const holder = await holdPort(reserved.plan.trafficManager);
    onTestFinished(async () => {
      if (holder !== undefined) await releasePort(holder);
    });
    const dataFolder = await scratchFile('data');
    const started: string[] = [];
    await expect(
      startCluster({
        portBase: reserved.base,
        dataFolder,
        onEvent: (event) => started.push(event.process),
      }),
    ).rejects.toMatchObject({
      code: 'PORTS_TAKEN',
      message: expect.stringContaining('wanted by the traffic manager'),
    });
    expect(started).toEqual([]);
    expect(existsSync(dataFolder)).toBe(false);
  });

  it(
    'that is told to stop while it starts leaves nothing behind',
    async () => {
      const { base: portBase, release } = await reserveFreePorts(REGIONS_DEFAULT);
      onTestFinished(release);
      const stop = new AbortController();
      const starting = startCluster({
        portBase,
        signal: stop.signal,
        onEvent: ({ kind, process }) => {
          if (kind === 'starting' && process === 'API of east') stop.abort();
        },
      });
      await expect(starting).rejects.toMatchObject({ code: 'STOPPED' });
      expect(await findTakenPorts(portsOf(portBase))).toEqual([]);
    },
    SLOW_MS,
  );

  it('names a setting that it cannot use, and leaves nothing behind', async () => {
    const { base: portBase, release } = await reserveFreePorts(REGIONS_DEFAULT);
    onTestFinished(release);
    await expect(
      startCluster({ portBase, settings: { 'Sweep.IntervalMs': 'often' } }),
    ).rejects.toMatchObject({
      code: 'NOT_READY',
      message: expect.stringContaining('Sweep.IntervalMs'),
    });
    expect(await findTakenPorts(portsOf(portBase))).toEqual([]);
  });

  it(
    'ends with its parent when that is killed, even a process that is paused',
    async () => {
      const holder = fork(fileURLToPath(new URL('../testing/hold-cluster.ts', import.meta.url)), {
        execArgv: [],
      });
      onTestFinished(() => void holder.kill('SIGKILL'));
      const [told] = (await once(holder, 'message')) as [
        { portBase: number; dataFolder: string; pids: number[] },
      ];
      onTestFinished(() => rm(told.dataFolder, { recursive: true, force: true }));
      expect(told.pids.filter(isAlive)).toHaveLength(9);
      holder.kill('SIGKILL');
      await expect.poll(() => told.pids.filter(isAlive), PATIENCE).toEqual([]);
      expect(await findTakenPorts(portsOf(told.portBase))).toEqual([]);
    },
    SLOW_MS,
  );
});
