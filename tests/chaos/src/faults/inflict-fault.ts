import { setTimeout as delay } from 'node:timers/promises';
import type { LocalProcess, Region } from '@tandem/local-cluster';
import { keepLog, processesByName, startAgain } from '../cluster/processes.ts';
import type { ChaosCluster } from '../cluster/start-chaos-cluster.ts';
import { SERVICES } from '../cluster/wire-plan.ts';
import { unknownKind } from '../unknown-kind.ts';
import type { Fault } from './fault.ts';

export interface FaultCounts {
  kills: number;
  pauses: number;
  freezes: number;
  partitions: number;
  stops: number;
}

/** Does one fault, and undoes it when its time is over or the signal is aborted. */
export type InflictFault = (fault: Fault, signal: AbortSignal) => Promise<void>;

/** The names of processes and wires that a fault takes hold of. */
export function grasp(fault: Fault): string[] {
  switch (fault.kind) {
    case 'kill':
    case 'pause':
    case 'freeze':
      return [fault.process];
    case 'stop-tables':
      return [`tables of ${fault.region}`];
    case 'lose-region':
      return [...SERVICES, 'tables', 'broker'].map((kind) => `${kind} of ${fault.region}`);
    case 'wires':
      return [...fault.wires];
    default:
      return unknownKind(fault);
  }
}

export function createFaultInflicter(
  { cluster, wires }: ChaosCluster,
  counts: FaultCounts,
): InflictFault {
  const processes = processesByName(cluster);
  let endings = 0;

  const end = async (process: LocalProcess, how: 'kill' | 'stop'): Promise<void> => {
    if (process.pid === undefined) return;
    counts[how === 'kill' ? 'kills' : 'stops'] += 1;
    const outcome = await process[how]();
    if (outcome === 'killed') {
      throw new Error(`The ${process.name} did not stop in time and lost what it had not saved.`);
    }
    endings += 1;
    await keepLog(process, endings);
  };
  const lose = async (region: Region): Promise<void> => {
    const { broker, store } = region;
    await Promise.all([...servicesOf(region), broker].map((one) => end(one, 'kill')));
    await end(store, 'stop');
  };
  const revive = async (region: Region): Promise<void> => {
    const { broker, store } = region;
    await Promise.all([store, broker].map(startAgain));
    await Promise.all(servicesOf(region).map(startAgain));
  };

  return async (fault, signal) => {
    // An aborted wait is one that is over.
    const wait = (): Promise<unknown> =>
      delay(fault.durationMs, undefined, { signal }).catch(() => undefined);
    switch (fault.kind) {
      case 'kill': {
        const process = named(processes, fault.process);
        await end(process, 'kill');
        await wait();
        return startAgain(process);
      }
      case 'pause':
      case 'freeze': {
        const process = named(processes, fault.process);
        await process.pause();
        counts[fault.kind === 'pause' ? 'pauses' : 'freezes'] += 1;
        await wait();
        return process.resume();
      }
      case 'stop-tables': {
        const { store } = cluster.region(fault.region);
        await end(store, 'stop');
        await wait();
        return startAgain(store);
      }
      case 'lose-region': {
        const region = cluster.region(fault.region);
        await lose(region);
        await wait();
        return revive(region);
      }
      case 'wires': {
        counts.partitions += 1;
        const cut = fault.wires.map((name) => named(wires, name));
        for (const wire of cut) wire.set(fault.mode);
        await wait();
        for (const wire of cut) {
          if (fault.endsWithReset) wire.reset();
          wire.set({ kind: 'open' });
        }
        return;
      }
      default:
        return unknownKind(fault);
    }
  };
}

function servicesOf({ api, replicator, tableEndpoint }: Region): LocalProcess[] {
  return [api, replicator, tableEndpoint];
}

function named<T>(all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}
