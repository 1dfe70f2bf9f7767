import { randomInt } from 'node:crypto';
import { LocalClusterError } from '../local-cluster-error.ts';
import { listPorts, PORT_BLOCK_SIZE, type PortPlan, type PortUse, planPorts } from './port-plan.ts';
import { findTakenPorts, holdPort, releasePort } from './port-probe.ts';

// Below the ports that systems give to outgoing connections: a region that is down must find its
// ports free when it comes back.
const FREE_BASE_MIN = 20_000;
const FREE_BLOCKS = 120;
/** Held for as long as the cluster lives, so that two clusters that start together never meet. */
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
