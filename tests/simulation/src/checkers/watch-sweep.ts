import { ARCHIVE_TABLE } from '@tandem/storage';
import type { Ledger } from '../observe/ledger.ts';
import { isOperators } from '../observe/raw-state.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/** The sweep leaves young rows to the process that has written them and is relaying them. */
export function watchSweep(
  { world, ledger }: { world: World; ledger: Ledger },
  report: Report,
): void {
  ledger.onTransaction((region, { table, operations }, site) => {
    if (table !== ARCHIVE_TABLE || !site.startsWith('sweep.')) return;
    const own = world.slots.filter((slot) => slot.region === region);
    if (own.some(({ clock }) => clock.offMsMax > 0)) return;
    for (const { rowKey } of operations) {
      const committedAfterMs = ledger.committedAfterMs(rowKey);
      // An operator's clock may be another.
      if (committedAfterMs === undefined || isOperators(rowKey)) continue;
      const ageMs = world.scheduler.nowMs() - committedAfterMs;
      if (ageMs >= world.plan.sweepGraceMs) continue;
      report('swept-too-soon', `${rowKey} was swept in ${region} after ${ageMs} ms`);
    }
  });
}
