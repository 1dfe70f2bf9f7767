import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import type { History } from '../clients/history.ts';
import { wasDamaged } from '../faults/damage-rows.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import type { Probe } from '../observe/readiness-probe.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import { isTroubledLink } from '../world/links.ts';
import { isTroubledSlot, type World } from '../world/world.ts';
import type { Report } from './watch.ts';

/** The default of `Readiness.HeartbeatMsMax`, and some time for an answer to come. */
const SILENT_MS_MAX = 15_000 + 3_000;
/** In a world that is whole so long, a region knows whether it is behind by as much. */
const WHOLE_MS = 45_000;

export interface ReadinessWatch {
  /** To be called whenever a region is asked: most of all when it is in no state to answer. */
  look(): void;
  judge(probe: Probe): void;
}

/** I14: a region whose replicator is dead, or that is behind, does not report ready. */
export function createReadinessWatch(sources: MissingSources, report: Report): ReadinessWatch {
  const { world } = sources;
  let lastTroubleMs = world.scheduler.nowMs();

  const isDead = (region: string, atMs: number): boolean =>
    world
      .regionNamed(region)
      .slots.filter(({ role }) => role === 'replicator')
      .every(({ downSinceMs }) => downSinceMs !== undefined && downSinceMs < atMs - SILENT_MS_MAX);

  const look = (): void => {
    if (isTroubled(world)) lastTroubleMs = world.scheduler.nowMs();
  };

  const judge = ({ region, readiness, askedMs }: Probe): void => {
    look();
    if (readiness.kind !== 'ready') return;
    const hasTrueClocks = world.slots.every(({ clock }) => clock.offMsMax === 0);
    if (hasTrueClocks && isDead(region, askedMs)) {
      report('ready-too-soon', `${region} is ready at ${askedMs} without any replicator`);
    }
    const hasAside =
      world.plan.upgradeMs !== undefined ||
      // The region is ready although it lacks what is damaged in the outbox of a peer.
      world.regions.some(
        ({ name, account }) =>
          [gadgetKind.name, ARCHIVE_TABLE].some((table) => wasDamaged(world, name, table)) ||
          [gadgetKind.name, ARCHIVE_TABLE, CONFLICTS_TABLE].some((table) =>
            account.failures.hasFailed(table),
          ),
      );
    if (!hasTrueClocks || hasAside || lastTroubleMs > askedMs - WHOLE_MS) return;
    const peers = world.plan.regions.filter((peer) => peer !== region);
    const missing = findMissing(sources, { region, peers, beforeMs: askedMs - WHOLE_MS });
    if (missing === undefined) return;
    report('ready-too-soon', `${region} is ready at ${askedMs} without ${missing}`);
  };
  return { look, judge };
}

/** Looked at whenever a region is asked, which is often enough to see all but the shortest. */
function isTroubled({ links, regions, slots, scheduler }: World): boolean {
  return (
    links.all.some(isTroubledLink) ||
    regions.some(
      ({ account, namespace }) =>
        account.outages + namespace.outages > 0 ||
        account.freezer.isFrozen ||
        account.misconfigured > 0 ||
        namespace.freezer.isFrozen,
    ) ||
    slots.some((slot) => isTroubledSlot(slot, scheduler.nowMs()))
  );
}

export interface MissingSources {
  readonly world: World;
  readonly ledger: Ledger;
  readonly history: History;
}

/** What one of the peers acknowledged before the time, and the region has not. */
function findMissing(
  { ledger, history }: MissingSources,
  {
    region,
    peers,
    beforeMs,
  }: {
    readonly region: string;
    readonly peers: readonly string[];
    readonly beforeMs: number;
  },
): string | undefined {
  const { rows, collected, lost } = ledger.regionNamed(region);
  return peers
    .flatMap((peer) => history.acknowledgedIn(peer))
    .find(
      ({ atMs, stamp, entityId }) =>
        atMs < beforeMs &&
        !includesStamp(rows.get(entityId)?.vector, stamp) &&
        !collected.has(entityId) &&
        !lost.has(entityId),
    )?.stamp;
}
