import type { History } from '../clients/history.ts';
import type { Ledger } from '../observe/ledger.ts';
import type { Supervisor } from '../processes/supervisor.ts';
import type { World } from '../world/world.ts';
import { applyClockFault } from './apply-clock-fault.ts';
import { applyNetworkFault } from './apply-network-fault.ts';
import { damageRow } from './damage-rows.ts';
import { failOneRow, refuseOneRow } from './fail-one-row.ts';
import { forgeMessages } from './forge-messages.ts';
import { injectMessages } from './inject-messages.ts';
import { loseData } from './lose-data.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { PoisonLog } from './poison.ts';

/** Of the ways to a service and back, the share that is slow then. */
const LIMP_SHARE_MAX = 0.6;

/** Undoes what an event has done; undefined when it did nothing that lasts. */
export type Undo = (() => void) | undefined;

export interface Nemesis {
  /** Ends every fault that is under way. */
  heal(): void;
}

export interface NemesisOptions {
  readonly world: World;
  readonly supervisor: Supervisor;
  readonly events: readonly NemesisEvent[];
  readonly poison: PoisonLog;
  readonly ledger: Ledger;
  readonly history: History;
}

/** Lets the events happen when they are due, and ends each after its time. */
export function runNemesis(options: NemesisOptions): Nemesis {
  const { world, events } = options;
  const active = new Set<() => void>();
  for (const event of events) {
    world.scheduler.schedule(event.atMs - world.scheduler.nowMs(), () => {
      if (!world.faults.admits(event.id, event.kind)) return;
      world.trace.note(`${event.id} for ${event.durationMs} ms`);
      const undo = begin(event, options);
      if (undo === undefined) return;
      const end = (): void => {
        if (!active.delete(end)) return;
        undo();
        world.trace.note(`${event.id} ended`);
      };
      active.add(end);
      world.scheduler.schedule(event.durationMs, end);
    });
  }
  return {
    heal() {
      for (const end of active) end();
    },
  };
}

function begin(event: NemesisEvent, options: NemesisOptions): Undo {
  const { world, supervisor, poison } = options;
  const slots = [...world.slots, ...world.operatorSlots];
  const slot = slots[event.target % slots.length];
  if (slot === undefined) return undefined;
  switch (event.kind) {
    case 'crash':
    case 'stay-down':
      supervisor.crash(slot, event.durationMs);
      return undefined;
    case 'pause':
      slot.isPaused = true;
      return () => {
        slot.isPaused = false;
        slot.lastPausedMs = world.scheduler.nowMs();
        for (const goOn of slot.held.splice(0)) goOn();
      };
    case 'limp':
      slot.limpShare = event.amount * LIMP_SHARE_MAX;
      return () => {
        slot.limpShare = 0;
        slot.lastPausedMs = world.scheduler.nowMs();
      };
    case 'clock-skew':
    case 'clock-back':
    case 'clock-freeze':
    case 'clock-far-ahead':
      return applyClockFault(event, slot);
    case 'clock-year-ahead': {
      // Long enough for a sweep and a heartbeat, which tell the peers and the own region of it.
      const sweepers = world.slots.filter(({ role }) => role === 'replicator');
      const sweeper = sweepers[event.target % sweepers.length];
      return sweeper && applyClockFault(event, sweeper);
    }
    case 'damage-row':
      return damageRow(event, world);
    case 'fail-one-row':
      return failOneRow(event, world);
    case 'refuse-one-row':
      return refuseOneRow(event, world);
    case 'forged':
      forgeMessages(event, world);
      return undefined;
    case 'poison':
    case 'resend-old':
      injectMessages(event, world, poison);
      return undefined;
    case 'lose-rows':
    case 'lose-journal':
    case 'lose-archive':
    case 'lose-all':
      loseData(event, options).catch((error: unknown) => world.reportBug(undefined, error));
      return undefined;
    default:
      return applyNetworkFault(event, world);
  }
}
