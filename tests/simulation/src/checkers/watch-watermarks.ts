import { REPLICATION_TABLE } from '@tandem/storage';
import type { History } from '../clients/history.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import { textOf } from '../observe/read-raw.ts';
import { isAside } from '../processes/next-build.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

interface Progress {
  readonly peers: readonly { readonly peer: string; readonly passedMs?: number }[];
}

/**
 * I11: when a region says that it has passed a peer's watermark, everything that the peer
 * acknowledged before that time is in its rows. A clock that ran ahead is allowed for: what a peer
 * says by a wrong clock is only as true as the clock.
 */
export function watchWatermarks(
  sources: { readonly world: World; readonly ledger: Ledger; readonly history: History },
  report: Report,
): void {
  const { world, ledger, history } = sources;
  const checkedOf = new Map<string, number>();

  /** What lies dead has been passed, and is reported as dead. */
  const isDead = (region: string, stamp: string): boolean => {
    const { bus, queue } = world.regionNamed(region).namespace;
    return bus
      .deadLettersOf(queue)
      .some((letter) => isAside(letter) && letter.messageId.endsWith(stamp));
  };

  const check = (region: string, peer: string, passedMs: number): void => {
    const aheadMs = Math.max(
      ...world.slots.filter((slot) => slot.region === peer).map(({ clock }) => clock.aheadMsMax),
    );
    const acknowledged = history.acknowledgedIn(peer);
    const key = `${peer} ${region}`;
    let checked = checkedOf.get(key) ?? 0;
    for (; checked < acknowledged.length; checked += 1) {
      const { stamp, entityId, atMs } = acknowledged[checked] as (typeof acknowledged)[number];
      if (atMs >= passedMs - aheadMs) break;
      const view = ledger.regionNamed(region);
      if (includesStamp(view.rows.get(entityId)?.vector, stamp)) continue;
      if (view.collected.has(entityId) || isDead(region, stamp)) continue;
      report(
        'watermark-flatters',
        `${region} has passed ${passedMs} of ${peer}, without ${stamp} acknowledged at ${atMs}`,
      );
    }
    checkedOf.set(key, checked);
  };

  ledger.onTransaction((region, { table, operations }) => {
    if (table !== REPLICATION_TABLE) return;
    for (const operation of operations) {
      const text =
        operation.kind === 'delete' ? undefined : textOf(operation.properties, 'progress');
      if (text === undefined) continue;
      for (const { peer, passedMs } of (JSON.parse(text) as Progress).peers) {
        if (passedMs !== undefined) check(region, peer, passedMs);
      }
    }
  });
}
