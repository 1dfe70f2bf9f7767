import type { History } from '../clients/history.ts';
import type { Ledger } from '../observe/ledger.ts';
import { OUTBOX_PREFIX, PARKED_PREFIX } from '../world/describe-transaction.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I11: what would be lost with a region now is exactly what its outbox says that it owes. Whatever was
 * acknowledged and is in no queue of a peer is in the outbox; what is in the outbox was committed, or says that it is
 * only prepared.
 */
export function createAtRiskWatch(
  sources: { readonly world: World; readonly ledger: Ledger; readonly history: History },
  report: Report,
): () => void {
  const { world, ledger, history } = sources;
  // Once in a queue it is never at risk again, so the rest of the list is all there is to look at.
  const openOf = new Map<string, Set<string>>();
  const seenOf = new Map<string, number>();

  const openBetween = (region: string, peer: string): Set<string> => {
    const key = `${region} ${peer}`;
    const open = openOf.get(key) ?? new Set<string>();
    openOf.set(key, open);
    const acknowledged = history.acknowledgedIn(region);
    for (const { stamp } of acknowledged.slice(seenOf.get(key) ?? 0)) open.add(stamp);
    seenOf.set(key, acknowledged.length);
    for (const stamp of open) if (world.acceptedBy(peer).has(stamp)) open.delete(stamp);
    return open;
  };

  return () => {
    for (const { name: region } of world.regions) {
      const { outboxKeys } = ledger.regionNamed(region);
      for (const { name: peer } of world.regions) {
        if (peer === region) continue;
        for (const stamp of openBetween(region, peer)) {
          const isOwed =
            outboxKeys.has(`${OUTBOX_PREFIX}${stamp}`) ||
            outboxKeys.has(`${PARKED_PREFIX}${peer}~${stamp}`);
          if (!isOwed)
            report('risk-unlisted', `${region} does not know that ${peer} lacks ${stamp}`);
        }
      }
      for (const key of outboxKeys) {
        const stamp = key.slice(key.lastIndexOf('~') + 1);
        // What is only prepared may be committed the next moment: it is told of as long as the outbox says so.
        const isPrepared = ledger.preparedIn(region, stamp)?.untilMs === Number.POSITIVE_INFINITY;
        if (isPrepared || ledger.isCommitted(stamp)) continue;
        report('risk-invented', `${key} in ${region} tells of what nobody committed`);
      }
    }
  };
}
