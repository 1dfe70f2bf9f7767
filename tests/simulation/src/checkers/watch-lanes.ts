import { ARCHIVE_TABLE } from '@tandem/storage';
import type { History } from '../clients/history.ts';
import { wasDamaged } from '../faults/damage-rows.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import { isTroubledLink } from '../world/links.ts';
import { isTroubledSlot, type World } from '../world/world.ts';
import type { Report } from './watch.ts';

/** After a fault of the way itself a backoff of it may run, and a sweep pick up what was left. */
const WHOLE_MS = 28_000;
/** What a sweep takes besides for what a relay has left to it: a round for each peer, a hang's first moments, a look. */
const SWEPT_MS = 4_000;

/** It is called more often than that. */
const LOOK_MS = 4_000;

/**
 * I15: a peer that is frozen, cut off or dead delays nothing that goes to another: each has a lane of its own.
 * Returns what is to be called every few seconds.
 */
export function createLaneWatch(
  { world, history }: { readonly world: World; readonly history: History },
  report: Report,
): () => void {
  const lastTroubleMs = new Map<string, number>();

  /** What the archive does not take is not sent, nor what nobody can read. */
  const isStuck = (from: string, stamp: string): boolean =>
    world.regionNamed(from).account.failures.hasFailed(ARCHIVE_TABLE, stamp) ||
    wasDamaged(world, from, gadgetKind.name);

  // A sweep leaves young rows alone, and begins once in its interval: what is older is in the queue of the peer.
  const { sweepGraceMs, sweepIntervalMs, regions } = world.plan;
  const lateMs = sweepGraceMs + sweepIntervalMs + SWEPT_MS;
  return () => {
    if (regions.length < 3) return;
    const nowMs = world.scheduler.nowMs();
    for (const { from, to } of world.links.all) {
      const key = `${from} ${to}`;
      if (isWayTroubled(world, from, to)) lastTroubleMs.set(key, nowMs);
      if ((lastTroubleMs.get(key) ?? world.plan.startMs) >= nowMs - WHOLE_MS) continue;
      const beforeMs = nowMs - lateMs;
      const accepted = world.acceptedBy(to);
      const late = history
        .acknowledgedIn(from)
        .find(
          ({ atMs, stamp }) => atMs < beforeMs && !accepted.has(stamp) && !isStuck(from, stamp),
        );
      if (late === undefined) continue;
      report('held-up', `${late.stamp} waits in ${from} for ${to}, and the way is whole`);
    }
  };
}

function isWayTroubled({ links, regionNamed, scheduler }: World, from: string, to: string) {
  const { account, slots } = regionNamed(from);
  const { namespace } = regionNamed(to);
  const link = links.between(from, to);
  return (
    isTroubledLink(link) ||
    link.lastFaultMs > scheduler.nowMs() - LOOK_MS ||
    account.outages + namespace.outages > 0 ||
    account.freezer.isFrozen ||
    account.misconfigured > 0 ||
    namespace.freezer.isFrozen ||
    slots.some(
      (slot) =>
        isTroubledSlot(slot, scheduler.nowMs()) ||
        slot.clock.offMsMax > 0 ||
        // A sweep that fails at its own table begins again a little later, for all peers alike.
        slot.lastTableFaultMs > scheduler.nowMs() - LOOK_MS,
    )
  );
}
