import { wasDamaged } from '../faults/damage-rows.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I11: the list of `at-risk` is exact. What was committed before it began and is in no other region when it
 * ends is listed as lost; nothing is that was in another one when it began, within the reach of the command. What
 * a peer lacks all the while, and its queue as well, is listed in any case.
 */
export function watchRiskList(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  /** Since when (true time) a change set is in some queue but its own region's. */
  const leftAtMs = new Map<string, number>();
  const isInRows = (peer: string, entityId: string, stamp: string): boolean =>
    includesStamp(ledger.regionNamed(peer).rows.get(entityId)?.vector, stamp);

  for (const { name } of world.regions) {
    world.onAccepted(name, (stamp) => {
      if (!leftAtMs.has(stamp)) leftAtMs.set(stamp, world.scheduler.nowMs());
    });
  }
  world.recoveries.onDone(({ id, command, runStartMs }, done) => {
    if (done.kind !== 'at-risk' || command.kind !== 'at-risk') return;
    const { survey } = done;
    // Of a row that nobody can read the list has the key, and no entity.
    if (wasDamaged(world, command.region, gadgetKind.name)) return;
    const peers = world.plan.regions.filter((name) => name !== command.region);
    const listed = new Map(
      survey.writes.map(({ stamp, entityId, fate }) => [`${stamp} ${entityId}`, fate]),
    );
    for (const { stamp, entityId, region, atMs } of ledger.commits) {
      if (region !== command.region || atMs >= runStartMs) continue;
      const key = `${stamp} ${entityId}`;
      const fate = listed.get(key);
      // A later change of the entity contains it.
      const hasLeft = ledger
        .commitsOf(entityId)
        .some((one) => leftAtMs.has(one.stamp) && includesStamp(one.state.vector, stamp));
      const isElsewhere = hasLeft || peers.some((one) => isInRows(one, entityId, stamp));
      if (!isElsewhere && fate !== 'lost') {
        report('risk-list-flatters', `${id} does not list ${key}, which ${region} alone has`);
      }
      const isOut = survey.outOfReach.length > 0;
      const leftBefore = (leftAtMs.get(stamp) ?? Number.POSITIVE_INFINITY) < runStartMs;
      if (fate !== 'lost' || isOut || !leftBefore) continue;
      const isUnknown = survey.writes.some(
        (one) => one.stamp === stamp && Object.values(one.places).includes('not-known'),
      );
      const wasTaken = peers.some((one) => ledger.regionNamed(one).lost.has(entityId));
      if (isUnknown || wasTaken) continue;
      report('risk-list-invents', `${id} calls ${key} lost, which had left ${region} before`);
    }
    // Owed to a peer before and after: be it in its own row or parked, the outbox has told of it all the while.
    for (const { stamp, entityId, region, atMs } of ledger.commits) {
      if (region !== command.region || atMs >= runStartMs) continue;
      const key = `${stamp} ${entityId}`;
      const owed = peers.find(
        (peer) =>
          !world.acceptedBy(peer).has(stamp) &&
          !isInRows(peer, entityId, stamp) &&
          (ledger.regionNamed(peer).lost.get(entityId)?.at(-1) ?? 0) < runStartMs,
      );
      if (owed === undefined || listed.has(key)) continue;
      report('risk-list-flatters', `${id} does not list ${key}, which ${owed} lacks`);
    }
    for (const { stamp, entityId, places } of survey.writes) {
      if (!isClientsId(entityId)) continue;
      const isCommitted = ledger.commitsUnder(stamp).some((one) => one.entityId === entityId);
      // What was prepared while it looked might have been committed the next moment.
      const untilMs = ledger.preparedIn(command.region, stamp)?.untilMs ?? 0;
      const isKnown = isCommitted || untilMs >= runStartMs;
      if (!isKnown) report('risk-list-invents', `${id} lists ${stamp}, which nobody committed`);
      const guessed = [...done.unread].find((peer) => places[peer] === 'nowhere');
      if (guessed === undefined) continue;
      report('risk-list-invents', `${id} tells of ${stamp} that ${guessed} lacks it, unread`);
    }
  });
}
