import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalClusterError } from '../local-cluster-error.ts';
import type { LocalProcess, Program } from '../process/local-process.ts';
import {
  apiProgram,
  azuriteProgram,
  brokerAdminConnection,
  brokerConnection,
  brokerProgram,
  endpointConnection,
  type RegionPlan,
  replicatorProgram,
  tableEndpointProgram,
  tablesConnection,
  urlOf,
} from '../programs/programs.ts';

const READY_MS_MAX = 60_000;

export interface RegionAddresses {
  /** Leads to the customer API: `http://127.0.0.1:7710`. */
  readonly api: string;
  /** Leads to the replicator's health and status. */
  readonly replicator: string;
  /** Connects clients of Table Storage to the region's Table endpoint. */
  readonly tableEndpoint: string;
  /** Connects to the storage account. */
  readonly tables: string;
  /** Connects to the Service Bus namespace. */
  readonly broker: string;
  /** Connects to its administration, which an emulator has on a port of its own. */
  readonly brokerAdmin: string;
}

/** Is one region as processes of this machine. */
export interface Region {
  readonly name: string;
  readonly addresses: RegionAddresses;
  readonly api: LocalProcess;
  readonly replicator: LocalProcess;
  readonly tableEndpoint: LocalProcess;
  readonly store: LocalProcess;
  readonly broker: LocalProcess;
  /** Starts whatever of it does not run, and resolves when all of it listens. */
  start(): Promise<void>;
  /** Stops in order: what serves first, what it stands on last. */
  stop(): Promise<void>;
  /**
   * The loss of the region. The API, the Table endpoint, the replicator and the broker get a SIGKILL before this
   * returns. The store is stopped so that it saves: killed, Azurite would lose what it has
   * acknowledged, and Azure Storage does not lose that with a region.
   */
  kill(): Promise<void>;
  /** Resolves when it says that it may take traffic: it is up and has caught up. */
  untilReady(waitMsMax?: number, signal?: AbortSignal): Promise<void>;
}

export interface RegionOptions {
  readonly plan: RegionPlan;
  readonly createProcess: (program: Program, logFile: string) => LocalProcess;
  /** Holds the logs. */
  readonly logFolder: string;
}

export function createRegion({ plan, createProcess, logFolder }: RegionOptions): Region {
  const { name, ports } = plan;
  const create = (kind: string, program: Program): LocalProcess =>
    createProcess(program, join(logFolder, `${name}-${kind}.log`));
  const api = create('api', apiProgram(plan));
  const replicator = create('replicator', replicatorProgram(plan));
  const tableEndpoint = create('table-endpoint', tableEndpointProgram(plan));
  const store = create('tables', azuriteProgram(plan));
  const broker = create('broker', brokerProgram(plan));
  const addresses: RegionAddresses = {
    api: urlOf(ports.api),
    replicator: urlOf(ports.replicator),
    tableEndpoint: endpointConnection(ports),
    tables: tablesConnection(ports),
    broker: brokerConnection(ports),
    brokerAdmin: brokerAdminConnection(ports),
  };
  return {
    name,
    addresses,
    api,
    replicator,
    tableEndpoint,
    store,
    broker,
    async start() {
      await startAll([store, broker]);
      await startAll([api, replicator, tableEndpoint]);
    },
    async stop() {
      await Promise.all([api.stop(), replicator.stop(), tableEndpoint.stop()]);
      await Promise.all([store.stop(), broker.stop()]);
    },
    async kill() {
      const killed = [api, replicator, tableEndpoint, broker].map((process) => process.kill());
      await Promise.all([...killed, store.stop()]);
    },
    async untilReady(waitMsMax = READY_MS_MAX, signal) {
      const origins = [
        { name: api.name, origin: addresses.api },
        { name: tableEndpoint.name, origin: urlOf(ports.tableEndpoint) },
      ];
      await Promise.all(
        origins.map(({ name: asked, origin }) =>
          untilHealthy({ name: asked, url: `${origin}/health/ready`, waitMsMax, signal }),
        ),
      );
    },
  };
}

/** Waits for all of them also when one fails, so that nothing starts behind the back of a stop. */
export async function startAll(processes: readonly LocalProcess[]): Promise<void> {
  const outcomes = await Promise.allSettled(processes.map((process) => process.start()));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

const POLL_INTERVAL_MS = 100;
const POLL_TIMEOUT_MS = 5_000;
const ANSWER_LENGTH_MAX = 500;

interface UntilHealthyOptions {
  /** Names it in the error: `API of east`. */
  readonly name: string;
  readonly url: string;
  readonly waitMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves on the first 200; rejects with NOT_READY and the last answer when there is none in time. */
async function untilHealthy(options: UntilHealthyOptions): Promise<void> {
  const { name, url, waitMsMax, signal } = options;
  const deadlineMs = performance.now() + waitMsMax;
  let last = 'nothing was answered';
  while (performance.now() < deadlineMs) {
    signal?.throwIfAborted();
    const answer = await ask(url);
    if (answer.isHealthy) return;
    last = answer.text;
    await delay(POLL_INTERVAL_MS);
  }
  throw new LocalClusterError(
    'NOT_READY',
    `The ${name} was not ready in ${waitMsMax} ms. The last answer of ${url}: ${last}`,
  );
}

async function ask(url: string): Promise<{ isHealthy: boolean; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(POLL_TIMEOUT_MS) });
    const text = (await response.text()).slice(0, ANSWER_LENGTH_MAX);
    return { isHealthy: response.status === 200, text: `${response.status} ${text}` };
  } catch (error) {
    // Refused, reset or timed out: whatever it is, it is the answer that is quoted in the end.
    return { isHealthy: false, text: describe(error) };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
