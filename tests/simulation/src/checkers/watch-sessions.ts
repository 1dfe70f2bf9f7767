import type { History, OperationRecord } from '../clients/history.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import type { Report } from './watch.ts';

/** I9, within one region: a client reads what it wrote there, or something newer. */
export function createSessionWatch(
  { history, ledger }: { readonly history: History; readonly ledger: Ledger },
  report: Report,
): (record: OperationRecord) => void {
  return (read) => {
    const { outcome } = read;
    if (outcome.kind !== 'read' || outcome.version === undefined) return;
    // What a store lost only an operator finds out.
    if (ledger.regionNamed(read.region).lost.has(read.entityId)) return;
    // A life that was collected is forgotten, and what was created since knows nothing of it.
    if (ledger.regionNamed(read.region).collected.has(read.entityId)) return;
    for (const { client, region, entityId, endMs, outcome: own } of history.operations) {
      if (client !== read.client || region !== read.region || entityId !== read.entityId) continue;
      if (own.kind !== 'acknowledged' || own.stamp === undefined || endMs > read.startMs) continue;
      if (includesStamp(outcome.version, own.stamp)) continue;
      report('stale-read', `get ${read.id} of ${entityId} in ${region} misses ${own.stamp}`);
    }
  };
}
