import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { grasp, type InflictFault } from './inflict-fault.ts';

export interface ScheduleOptions {
  readonly faults: readonly Fault[];
  readonly inflict: InflictFault;
  readonly runMs: number;
  readonly onFault: (fault: Fault) => void;
  /** Aborted, it undoes what is under way and begins nothing more. */
  readonly signal: AbortSignal;
}

/**
 * Does every fault at its time, several at once. One that finds a process or a wire in the grasp of
 * another waits for that; when it waits beyond the end of the run it is left out. Resolves when
 * everything is undone; rejects when something could not be.
 */
export async function runSchedule(options: ScheduleOptions): Promise<void> {
  const { faults, inflict, runMs, onFault, signal } = options;
  const startedMs = performance.now();
  const busy = new Map<string, Promise<void>>();
  const failures: unknown[] = [];
  for (const fault of faults) {
    const waitMs = startedMs + fault.atMs - performance.now();
    await delay(Math.max(0, waitMs), undefined, { signal }).catch(() => undefined);
    if (signal.aborted || failures.length > 0) break;
    const names = grasp(fault);
    const before = Promise.all(names.flatMap((name) => busy.get(name) ?? []));
    const inflictInTurn = async (): Promise<void> => {
      await before;
      if (signal.aborted || performance.now() - startedMs >= runMs) return;
      onFault(fault);
      await inflict(fault, signal);
    };
    const done = inflictInTurn().catch((error: unknown) => void failures.push(error));
    for (const name of names) busy.set(name, done);
  }
  await Promise.all(busy.values());
  if (failures.length > 0) throw failures[0];
}
