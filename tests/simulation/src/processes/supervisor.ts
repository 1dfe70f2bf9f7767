import type { Ledger } from '../observe/ledger.ts';
import type { OperatorDesk } from '../operators/run-operator.ts';
import { closeRecovery, startOperator } from '../operators/run-operator.ts';
import type { World } from '../world/world.ts';
import { startApi } from './api-process.ts';
import { createIncarnation, type Incarnation } from './incarnation.ts';
import { createProcessContext } from './process-context.ts';
import { startReplicator } from './replicator-process.ts';
import { createSlot, type Slot } from './slot.ts';

/** No other operator has this number. */
const CLOSER = 9;
const RESTART_MS = [100, 4_000] as const;

/** Starts processes, and starts them again when they have crashed. */
export interface Supervisor {
  startAll(): void;
  /** Lets operators finish, and then one of them put everything in order. */
  closeRecovery(): Promise<void>;
  /** Kills the process in the slot, if one lives, and keeps the slot empty for so long. */
  crash(slot: Slot, downMs: number): void;
}

/** How often it is looked whether the operators have finished. */
const LOOK_MS = 500;

export function createSupervisor(world: World, ledger: Ledger): Supervisor {
  const { draw, scheduler } = world;
  const desk: OperatorDesk = { unfinished: new Map(), begun: new Map() };

  const start = (slot: Slot): void => {
    if (world.living.has(slot)) return;
    slot.starts += 1;
    slot.isDown = false;
    slot.downSinceMs = undefined;
    const { faults, sites, trace } = world;
    const incarnation = createIncarnation({
      slot,
      draw,
      scheduler,
      faults,
      sites,
      trace,
      onCrash: (died) => bury(slot, died),
    });
    world.living.set(slot, incarnation);
    trace.note(`${slot.name} started as ${incarnation.writer}`);
    run(slot, incarnation).catch((error: unknown) => world.reportBug(incarnation, error));
  };

  const run = async (slot: Slot, incarnation: Incarnation): Promise<void> => {
    const context = createProcessContext(world, incarnation);
    if (slot.role === 'replicator') return startReplicator(context);
    if (slot.role === 'operator') {
      const { migration } = world;
      if (migration !== undefined)
        await (world.isClosing ? migration.close(context) : migration.operate(context));
      else if (world.isClosing) await closeRecovery(context);
      else await startOperator(context, ledger, desk);
      incarnation.crash();
      return;
    }
    const api = await startApi(context);
    if (incarnation.isAlive) world.regionNamed(slot.region).apis.set(slot, api);
  };

  const bury = (slot: Slot, died: Incarnation): void => {
    if (world.living.get(slot) !== died) return;
    world.living.delete(slot);
    world.regionNamed(slot.region).apis.delete(slot);
    slot.isDown = true;
    slot.downSinceMs = scheduler.nowMs();
    slot.isPaused = false;
    slot.held.splice(0);
    const drawnMs = draw.integer(`${slot.name}.restart.${slot.starts}`, RESTART_MS);
    scheduler.schedule(Math.max(drawnMs, slot.downMsMin), () => {
      // By then one of them may be putting everything in order, and must be alone in that.
      if (slot.role === 'operator' && world.isClosing) return;
      start(slot);
    });
    slot.downMsMin = 0;
  };

  return {
    startAll() {
      for (const slot of world.slots) start(slot);
      if (world.isClosing) return;
      for (const slot of world.operatorSlots) start(slot);
    },
    async closeRecovery() {
      world.isClosing = true;
      const [first] = world.operatorSlots;
      if (first === undefined) {
        world.recoveries.isClosed = true;
        return;
      }
      while (world.operatorSlots.some((slot) => world.living.has(slot))) {
        await scheduler.sleep(LOOK_MS);
      }
      const place = { region: first.region, role: 'operator', index: CLOSER } as const;
      start(createSlot(place, () => scheduler.nowMs()));
    },
    crash(slot, downMs) {
      const incarnation = world.living.get(slot);
      if (incarnation === undefined) return;
      slot.downMsMin = downMs;
      incarnation.crash();
    },
  };
}
