import type { Draw } from '../world/draw.ts';
import type { World } from '../world/world.ts';
import { NEMESIS_RULES, type NemesisEvent, type NemesisKind } from './nemesis-kinds.ts';

const KIND_PROBABILITY = 0.4;
const TARGET_MAX = 1_000_000;

/** Where tombstones are collected soon, a clock so wrong would break what their age stands for. */
const NEVER_WITH_TOMBSTONES = new Set<NemesisKind>([
  'clock-far-ahead',
  'clock-year-ahead',
  'forged',
]);

/** A dead letter that nobody ever settles keeps all purges waiting, and so does a deletion of the next year. */
const NEVER_WITH_TABLES = new Set<NemesisKind>([
  'poison',
  'forged',
  'clock-far-ahead',
  'clock-year-ahead',
]);

/** By clocks a process knows how old what it remembers is, and how long a lease lasts: docs/adr/0047. */
const NEVER_WITH_MIGRATION = new Set<NemesisKind>([
  ...NEVER_WITH_TABLES,
  'clock-skew',
  'clock-back',
  'clock-freeze',
]);

/** Whether single rows fail, or are damaged, in the run: what is set aside for that is resubmitted in the end. */
export function drawsRowFaults(draw: Draw): boolean {
  return ROW_FAULTS.some((kind) => draw.chance(`nemesis.${kind}`, KIND_PROBABILITY));
}

const ROW_FAULTS: readonly NemesisKind[] = ['fail-one-row', 'damage-row'];
const FREEZES = new Set<NemesisKind>(['freeze-store', 'freeze-broker', 'freeze-link']);

/** Only where an operator makes them good. */
const LOSSES = new Set<NemesisKind>(['lose-rows', 'lose-journal', 'lose-archive', 'lose-all']);

/** What is sent again does most harm before clients have written anew what had been collected. */
const EARLY_MS = 6_000;
/** What a journal holds by then nobody finds or tells again, so that only a repair brings it back. */
const LATE_MS = 2_000;

/** What happens within a window of true time. */
export function drawNemesis(
  { draw, plan }: Pick<World, 'draw' | 'plan'>,
  [fromMs, beforeMs]: readonly [number, number],
  window: number,
): readonly NemesisEvent[] {
  const events: NemesisEvent[] = [];
  for (const { kind, countMax, durationMs } of NEMESIS_RULES) {
    if (!draw.chance(`nemesis.${kind}`, KIND_PROBABILITY)) continue;
    if (plan.hasOnlyFreezes && !FREEZES.has(kind)) continue;
    if (!plan.hasLosses && LOSSES.has(kind)) continue;
    if (plan.quietMs > 0 && NEVER_WITH_TOMBSTONES.has(kind)) continue;
    if (plan.tables !== undefined && NEVER_WITH_TABLES.has(kind)) continue;
    if (plan.migration !== undefined && NEVER_WITH_MIGRATION.has(kind)) continue;
    const isEarly = kind === 'resend-old' && window > 0;
    const count = draw.integer(`nemesis.${kind}.count.${window}`, [1, countMax]);
    for (let index = 0; index < count; index += 1) {
      const id = `nemesis.${kind}.${window}.${index}`;
      events.push({
        id,
        kind,
        atMs: draw.integer(`${id}.at`, [
          kind === 'lose-journal' ? beforeMs - LATE_MS : fromMs + 500,
          isEarly ? fromMs + EARLY_MS : beforeMs,
        ]),
        durationMs: draw.integer(`${id}.duration`, durationMs),
        target: draw.integer(`${id}.target`, [0, TARGET_MAX]),
        amount: draw.fraction(`${id}.amount`),
      });
    }
  }
  return events;
}
