import { readableSetsIn } from '@tandem/core';
import { REPLICATION_TABLE } from '@tandem/storage';
import type { History } from '../clients/history.ts';
import { fragmentHeadIn } from '../observe/cut-sets.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import { textOf } from '../observe/read-raw.ts';
import { fromNextWireBody, isAside } from '../processes/next-build.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

interface Progress {
  readonly peers: readonly {
    readonly peer: string;
    readonly passedMs?: number;
    readonly appliedMs?: number;
  }[];
}

/** How far ahead a clock may be whose word is believed, once what it said has waited a while in a queue. */
const BELIEVED_AHEAD_MS_MAX = 360_000;

/** What `origin` acknowledged before the time is said to be in the rows of `holder`. */
interface Claim {
  readonly checker: string;
  readonly origin: string;
  readonly holder: string;
  readonly beforeMs: number;
}

/**
 * I11, I16: when a region says that it has passed a peer's watermark, or that the peer has applied what it
 * sent, then everything acknowledged before that time is in the rows of the one that received it. A
 * clock that ran ahead is allowed for as far as it is believed: what a region says by a wrong clock is only as true
 * as the clock.
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
      .some((letter) => isAside(letter) && stampsIn(letter).some((one) => one === stamp));
  };

  const check = ({ checker, origin, holder, beforeMs }: Claim): void => {
    // By no right clock is it believed (I16), and none has written it.
    if (beforeMs > world.scheduler.nowMs() + world.plan.driftMsMax) return;
    const aheadMs = Math.max(
      ...world.slots
        .filter((slot) => slot.region === origin)
        .map(({ clock }) => clock.aheadMsMaxWithin(BELIEVED_AHEAD_MS_MAX)),
    );
    const acknowledged = history.acknowledgedIn(origin);
    const key = `${checker} ${origin} ${holder}`;
    let checked = checkedOf.get(key) ?? 0;
    for (; checked < acknowledged.length; checked += 1) {
      const { stamp, entityId, atMs } = acknowledged[checked] as (typeof acknowledged)[number];
      if (atMs >= beforeMs - aheadMs) break;
      const view = ledger.regionNamed(holder);
      if (includesStamp(view.rows.get(entityId)?.vector, stamp)) continue;
      if (view.lost.has(entityId) || world.resubmitted.has(`${holder} ${stamp}`)) continue;
      if (view.collected.has(entityId) || isDead(holder, stamp)) continue;
      const what = `${stamp} of ${origin}, acknowledged at ${atMs}`;
      report(checker, `${holder} is said to have all before ${beforeMs}, and has not ${what}`);
    }
    checkedOf.set(key, checked);
  };

  ledger.onTransaction((region, { table, operations }) => {
    if (table !== REPLICATION_TABLE) return;
    for (const operation of operations) {
      const text =
        operation.kind === 'delete' ? undefined : textOf(operation.properties, 'progress');
      if (text === undefined) continue;
      for (const { peer, passedMs = 0, appliedMs = 0 } of (JSON.parse(text) as Progress).peers) {
        const passed = { checker: 'watermark-flatters', origin: peer, holder: region };
        const applied = { checker: 'receipt-flatters', origin: region, holder: peer };
        check({ ...passed, beforeMs: passedMs });
        check({ ...applied, beforeMs: appliedMs });
      }
    }
  });
}

function stampsIn({ body }: { readonly body: Uint8Array }): readonly string[] {
  const fragment = fragmentHeadIn(body);
  if (fragment !== undefined) return [fragment.stamp];
  return readableSetsIn(fromNextWireBody(body)).map(({ stamp }) => stamp);
}
