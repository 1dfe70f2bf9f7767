import type { Operation } from '../history/operation.ts';
import type { CustomerHistory } from './customer-history.ts';
import { describeFlaw, operationsOf } from './describe-flaw.ts';
import type { Finding } from './finding.ts';
import { judgeState } from './judge-state.ts';
import { precedes } from './precedes.ts';

/**
 * Everything that an answer showed while the run went on. A region shows what it has acknowledged
 * itself; whoever demands the version of a write is shown that write, and what its region had
 * acknowledged before, in any region; and an acknowledged write shows itself.
 */
export function checkObservations(history: CustomerHistory): Finding[] {
  const byId = new Map(history.writes.map((write) => [write.id, write]));
  return history.observations.flatMap((observation) => {
    const { id, seen, endMs, action, via } = observation;
    if (seen === undefined) return [];
    const demanded = byId.get(observation.atLeast ?? -1);
    const flaws = judgeState(history, {
      seen,
      endMs,
      mustShow: (write) =>
        write.id === id || isShownBy(observation, write) || isBehind(demanded, write),
    });
    return flaws.map(
      (flaw, index): Finding => ({
        verdict: 'unexpected',
        key: `observation ${id} ${index}`,
        message: `customer ${history.customer}: ${action} #${id} via ${via}, answered by ${observation.region ?? 'nobody'}${demanded === undefined ? '' : `, which demanded the version of #${demanded.id}`}: ${describeFlaw(flaw)}`,
        operations: [id, ...operationsOf(flaw)],
      }),
    );
  });
}

function isShownBy(observation: Operation, write: Operation): boolean {
  const isSameRegion = write.region !== undefined && write.region === observation.region;
  return isSameRegion && precedes(write, observation);
}

function isBehind(demanded: Operation | undefined, write: Operation): boolean {
  if (demanded === undefined) return false;
  return write.id === demanded.id || isShownBy(demanded, write);
}
