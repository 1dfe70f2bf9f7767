import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { LocalClusterError } from '../local-cluster-error.ts';

/** Ports of one cluster are one block, so that choosing another block is one number. */
export const PORT_BASE_DEFAULT = 7700;
export const PORT_BLOCK_SIZE = 100;
/** Gives each region ten ports; the first ten of the block are for what stands in front. */
export const REGIONS_MAX = 9;
const REGION_PORTS = 10;
const PORT_BASE_MIN = 1024;
const PORT_BASE_MAX = 65_535 - PORT_BLOCK_SIZE + 1;

export interface RegionPorts {
  readonly api: number;
  /** Serves the replicator's health and status. */
  readonly replicator: number;
  readonly tables: number;
  readonly broker: number;
  readonly brokerAdmin: number;
  /** Speaks the protocol of Table Storage. */
  readonly tableEndpoint: number;
}

export interface PortPlan {
  readonly trafficManager: number;
  /** Serves the console of whoever started the cluster, where somebody wants one. */
  readonly console: number;
  readonly regions: Readonly<Record<string, RegionPorts>>;
}

export interface PortUse {
  readonly port: number;
  readonly usedBy: string;
}

/** Lays out, with base 7700: 7700 in front, 7701 for the console, 7710 to 7715 for the first region, 7720 to 7725 for the second. */
export function planPorts(base: number, regions: readonly string[]): PortPlan {
  const entries = regions.map((region, index) => {
    const first = base + REGION_PORTS * (index + 1);
    const ports: RegionPorts = {
      api: first,
      replicator: first + 1,
      tables: first + 2,
      broker: first + 3,
      brokerAdmin: first + 4,
      tableEndpoint: first + 5,
    };
    return [region, ports] as const;
  });
  return { trafficManager: base, console: base + 1, regions: Object.fromEntries(entries) };
}

export function listPorts(plan: PortPlan): readonly PortUse[] {
  const ofRegions = Object.entries(plan.regions).flatMap(([region, ports]) => [
    { port: ports.api, usedBy: `the API of ${region}` },
    { port: ports.replicator, usedBy: `the replicator of ${region}` },
    { port: ports.tables, usedBy: `the tables of ${region}` },
    { port: ports.broker, usedBy: `the broker of ${region}` },
    { port: ports.brokerAdmin, usedBy: `the broker's administration of ${region}` },
    { port: ports.tableEndpoint, usedBy: `the Table endpoint of ${region}` },
  ]);
  return [
    { port: plan.trafficManager, usedBy: 'the traffic manager' },
    { port: plan.console, usedBy: 'the console' },
    ...ofRegions,
  ];
}

/** Tells the plan in words, for a help text. */
export function portsText(): string {
  return [
    '  B        the traffic manager, in front of all regions',
    '  B+1      the console',
    '  B+10     API of the first region        B+20     API of the second',
    '  B+11     its replicator (status)        B+21     and so on',
    '  B+12     its tables',
    '  B+13     its broker, B+14 the administration of the broker',
    '  B+15     its Table endpoint',
  ].join('\n');
}

/** Reads a base as a person gives it; the rule that it breaks is the problem. */
export function parsePortBase(
  text: string,
):
  | { readonly kind: 'base'; readonly base: number }
  | { readonly kind: 'problem'; readonly problem: string } {
  const base = /^\d{1,5}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (base >= PORT_BASE_MIN && base <= PORT_BASE_MAX) return { kind: 'base', base };
  return {
    kind: 'problem',
    problem: `"${text}" is no port base: give a whole number from ${PORT_BASE_MIN} to ${PORT_BASE_MAX}, for example ${PORT_BASE_DEFAULT}.`,
  };
}

// Below the ports that systems give to outgoing connections: a region that is down must find its
// ports free when it comes back.
const FREE_BASE_MIN = 20_000;
const FREE_BLOCKS = 120;
/** Are held for as long as the cluster lives, so that two clusters that start together never meet. */
const GUARD_OFFSET = PORT_BLOCK_SIZE - 1;

export interface ReservedPorts {
  readonly base: number;
  readonly plan: PortPlan;
  release(): Promise<void>;
}

/** Throws PORTS_TAKEN, before anything is started, when any port of the block is not free. */
export async function reservePortsAt(
  base: number,
  regions: readonly string[],
): Promise<ReservedPorts> {
  const plan = planPorts(base, regions);
  const taken = await findTakenPorts(listPorts(plan));
  if (taken.length > 0) throw new LocalClusterError('PORTS_TAKEN', describeTaken(taken, base));
  return { base, plan, release: async () => undefined };
}

export async function reserveFreePorts(regions: readonly string[]): Promise<ReservedPorts> {
  const first = randomInt(FREE_BLOCKS);
  for (let step = 0; step < FREE_BLOCKS; step += 1) {
    const base = FREE_BASE_MIN + ((first + step) % FREE_BLOCKS) * PORT_BLOCK_SIZE;
    const guard = await holdPort(base + GUARD_OFFSET);
    if (guard === undefined) continue;
    const plan = planPorts(base, regions);
    const taken = await findTakenPorts(listPorts(plan));
    if (taken.length === 0) return { base, plan, release: () => releasePort(guard) };
    await releasePort(guard);
  }
  const last = FREE_BASE_MIN + FREE_BLOCKS * PORT_BLOCK_SIZE - 1;
  throw new LocalClusterError(
    'PORTS_TAKEN',
    `No block of ${PORT_BLOCK_SIZE} free ports between ${FREE_BASE_MIN} and ${last}: stop what holds them.`,
  );
}

function describeTaken(taken: readonly PortUse[], base: number): string {
  const lines = taken.map(({ port, usedBy }) => `  port ${port}, wanted by ${usedBy}`);
  return [
    'These ports of 127.0.0.1 are already in use:',
    ...lines,
    `Nothing was started. Stop what holds them, or choose other ports: --port-base ${suggest(base)} or TANDEM_PORT_BASE=${suggest(base)}.`,
  ].join('\n');
}

function suggest(base: number): number {
  const next = base + PORT_BLOCK_SIZE;
  return next + PORT_BLOCK_SIZE > 65_536 ? base - PORT_BLOCK_SIZE : next;
}

export const LOOPBACK = '127.0.0.1';

const BUSY = new Set(['EADDRINUSE', 'EACCES']);

/** Returns a server that holds the port until it is closed; undefined when someone else has it. */
export async function holdPort(port: number): Promise<Server | undefined> {
  const server = createServer().listen({ port, host: LOOPBACK, exclusive: true });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (error instanceof Error && 'code' in error && BUSY.has(String(error.code))) return undefined;
    throw error;
  }
}

export async function releasePort(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** Returns those that someone has already, in the order given. */
export async function findTakenPorts(uses: readonly PortUse[]): Promise<readonly PortUse[]> {
  const taken: PortUse[] = [];
  for (const use of uses) {
    const server = await holdPort(use.port);
    if (server === undefined) taken.push(use);
    else await releasePort(server);
  }
  return taken;
}
