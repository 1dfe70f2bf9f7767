import type { Ledger } from '../observe/ledger.ts';
import { isRawAlive } from '../observe/raw-state.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { Report } from './watch.ts';

/** Parts that write what others had committed. */
const ARRIVALS = /^(apply|repair|rebuild|replay-join)\./;

/** I4: what arrives does not bring back a life that had ended before its tombstone was collected. */
export function watchRevivals(ledger: Ledger, report: Report): void {
  ledger.onTransaction((region, { table, operations }, site) => {
    if (table !== gadgetKind.name || !ARRIVALS.test(site)) return;
    const { rows, collected } = ledger.regionNamed(region);
    for (const { rowKey } of operations) {
      const row = rows.get(rowKey);
      const ended = collected.get(rowKey);
      if (row?.alive === undefined || ended === undefined || !isRawAlive(row)) continue;
      if (row.alive < ended)
        report('resurrected', `${rowKey} is back in ${region} from before ${ended}`);
    }
  });
}
