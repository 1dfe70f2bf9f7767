import { join } from 'node:path';
import { AppError } from '@tandem/core';
import { LocalClusterError } from '../local-cluster-error.ts';
import { type ReservedPorts, reserveFreePorts, reservePortsAt } from '../ports/port-plan.ts';
import type { LocalProcess, Program } from '../process/local-process.ts';
import { PROBING_DEFAULT, trafficManagerProgram, urlOf } from '../programs/programs.ts';
import { prepareRegions } from '../seed/prepare-regions.ts';
import { type Cluster, type ClusterOptions, checkRegions, REGIONS_DEFAULT } from './cluster.ts';
import { createTemporaryFolder, type DataFolder, openDataFolder } from './data-folder.ts';
import { createRegion, type Region, startAll } from './region.ts';
import { type ClusterListener, createSupervisedProcess } from './supervised-process.ts';

/** Bounds the time that the regions may take to find each other. */
const CAUGHT_UP_MS_MAX = 120_000;
/** Names the queue of every region. */
const QUEUE = 'customer';

/**
 * Starts the regions: their stores and brokers, their Configuration tables, their APIs and
 * replicators, and, when all regions are ready, the traffic manager in front of them. Rejects with
 * a LocalClusterError, and leaves nothing behind then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { regions: names = REGIONS_DEFAULT, signal } = options;
  checkRegions(names);
  const ports = await (options.portBase === undefined
    ? reserveFreePorts(names)
    : reservePortsAt(options.portBase, names));
  const data = await openFolder(options, names, ports);
  const cluster = assemble(options, { ports, data });
  const stop = (): void => void stopQuietly(cluster);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    await bringUp(cluster, options);
    return cluster;
  } catch (error) {
    await stopQuietly(cluster);
    if (signal?.aborted !== true) throw error;
    throw new LocalClusterError('STOPPED', 'The start was stopped.', error);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Stops where something else has gone wrong that says more. */
async function stopQuietly(cluster: Cluster): Promise<void> {
  await cluster.stop().catch(() => undefined);
}

async function openFolder(
  options: ClusterOptions,
  names: readonly string[],
  ports: ReservedPorts,
): Promise<DataFolder> {
  try {
    return options.dataFolder === undefined
      ? await createTemporaryFolder(names, options.keepData ?? false)
      : await openDataFolder(options.dataFolder, names);
  } catch (error) {
    await ports.release();
    throw error;
  }
}

interface Parts {
  readonly ports: ReservedPorts;
  readonly data: DataFolder;
}

function assemble(options: ClusterOptions, { ports, data }: Parts): Cluster {
  const stopping = new AbortController();
  const ended: string[] = [];
  const onEvent: ClusterListener = (event) => {
    // Where nobody starts it again nobody may overlook it either.
    if (event.kind === 'ended' && options.restart === undefined) ended.push(event.message);
    options.onEvent?.(event);
  };
  const createProcess = (program: Program, logFile: string): LocalProcess =>
    createSupervisedProcess({
      program: { ...program, env: { ...program.env, ...options.environment?.[program.name] } },
      logFile,
      onEvent,
      restart: options.restart,
      stopping: stopping.signal,
    });
  const regions = Object.entries(ports.plan.regions).map(([name, regionPorts]) =>
    createRegion({
      plan: {
        name,
        ports: regionPorts,
        folder: data.ofRegion(name),
        tablesMain: options.tablesMain,
      },
      createProcess,
      logFolder: data.logs,
    }),
  );
  const trafficManager = createProcess(
    trafficManagerProgram(ports.plan, options.probing ?? PROBING_DEFAULT),
    join(data.logs, 'traffic-manager.log'),
  );
  const stopAll = async (): Promise<void> => {
    stopping.abort();
    await trafficManager.stop();
    await Promise.all(regions.map((region) => region.stop()));
    await data.release();
    await ports.release();
    if (ended.length > 0) throw new LocalClusterError('PROCESS_FAILED', ended.join('\n'));
  };
  let stopped: Promise<void> | undefined;
  return {
    dataFolder: data.path,
    logFolder: data.logs,
    portBase: ports.base,
    regions,
    trafficManager,
    trafficManagerUrl: urlOf(ports.plan.trafficManager),
    consolePort: ports.plan.console,
    region: (name) => findRegion(regions, name),
    stop: () => (stopped ??= stopAll()),
  };
}

async function bringUp(cluster: Cluster, options: ClusterOptions): Promise<void> {
  const { regions, trafficManager } = cluster;
  const { signal } = options;
  await startAll(regions.flatMap(({ store, broker }) => [store, broker]));
  await prepare(regions, options);
  await startAll(
    regions.flatMap(({ api, replicator, tableEndpoint }) => [api, replicator, tableEndpoint]),
  );
  await Promise.all(regions.map((region) => region.untilReady(CAUGHT_UP_MS_MAX, signal)));
  await trafficManager.start();
}

async function prepare(
  regions: readonly Region[],
  { settings = {} }: ClusterOptions,
): Promise<void> {
  try {
    await prepareRegions(regions, { queue: QUEUE, settings });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new LocalClusterError(
      'NOT_READY',
      `The regions could not be prepared: ${error.message}`,
      error,
    );
  }
}

function findRegion(regions: readonly Region[], name: string): Region {
  const found = regions.find((region) => region.name === name);
  if (found !== undefined) return found;
  const known = regions.map((region) => region.name).join(', ');
  throw new LocalClusterError('OPTIONS_INVALID', `There is no region ${name}, only ${known}.`);
}

/** One Ctrl-C may arrive several times: from the terminal, and from each parent that passes it on. */
const SAME_SIGNAL_MS = 1_000;

const EXIT_INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopSignal {
  /** Is aborted by the first SIGINT, SIGTERM or SIGHUP; the reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Stops listening: the signals do again what they did before. */
  release(): void;
}

/**
 * Turns the signals that ask a program to stop into an abort. A Ctrl-C after that exits at once
 * with 130; the processes of a cluster then end by themselves.
 */
export function listenForStop(): StopSignal {
  const controller = new AbortController();
  let firstMs = Number.POSITIVE_INFINITY;
  const stop = (name: NodeJS.Signals): void => {
    const isAgain = performance.now() - firstMs > SAME_SIGNAL_MS;
    if (name === 'SIGINT' && isAgain) process.exit(EXIT_INTERRUPTED);
    if (controller.signal.aborted) return;
    firstMs = performance.now();
    controller.abort(name);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    release() {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
