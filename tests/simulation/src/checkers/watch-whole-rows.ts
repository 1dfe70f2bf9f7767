import type { Ledger } from '../observe/ledger.ts';
import { isRawAlive } from '../observe/raw-state.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I23: where a write owns the whole row, no row ever holds values of two writes: of the one that lost nothing
 * survives, be it a field that only it had.
 */
export function watchWholeRows(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  if (world.plan.policy !== 'row') return;
  ledger.onTransaction((region, { table, operations }, site) => {
    if (table !== gadgetKind.name) return;
    const { rows } = ledger.regionNamed(region);
    for (const { rowKey } of operations) {
      const row = isClientsId(rowKey) ? rows.get(rowKey) : undefined;
      if (row === undefined || !isRawAlive(row)) continue;
      const foreign = [...row.fields].find(([, { stamp }]) => stamp !== row.base);
      if (foreign === undefined) continue;
      const [name, { stamp }] = foreign;
      report('mixed', `${site}: ${rowKey} in ${region} has ${name} of ${stamp} under ${row.base}`);
    }
  });
}
