import type { Link } from '../world/links.ts';
import type { World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { Undo } from './run-nemesis.ts';

const CLOG_MS_MAX = 5_000;

/** What goes wrong between regions, and with the services of one. */
export function applyNetworkFault(event: NemesisEvent, world: World): Undo {
  const { links, regions, scheduler } = world;
  const link = links.all[event.target % links.all.length] as Link;
  const region = regions[event.target % regions.length] as World['regions'][number];
  const slots = region.slots.filter(({ role }) => role === 'replicator');
  const slot = slots[event.target % slots.length] as World['slots'][number];
  const both = [link, links.between(link.to, link.from)];
  switch (event.kind) {
    case 'cut':
      return onLinks(both, world, (one, by) => void (one.cuts += by));
    case 'cut-one-way':
      return onLinks([link], world, (one, by) => void (one.cuts += by));
    case 'lose-answers':
      return onLinks([link], world, (one, by) => void (one.answersLost += by));
    case 'isolate': {
      const own = links.all.filter(({ from, to }) => [from, to].includes(region.name));
      return onLinks(own, world, (one, by) => void (one.cuts += by));
    }
    case 'clog': {
      const clogMs = Math.round(event.amount * CLOG_MS_MAX);
      return onLinks([link], world, (one, by) => void (one.clogMs += by * clogMs));
    }
    case 'store-down':
      region.account.outages += 1;
      return () => void (region.account.outages -= 1);
    case 'bus-down':
      region.namespace.outages += 1;
      return () => void (region.namespace.outages -= 1);
    case 'freeze-store':
      return region.account.freezer.freeze();
    case 'freeze-broker':
      return region.namespace.freezer.freeze();
    case 'freeze-link': {
      const thaw = link.freezer.freeze();
      return () => {
        thaw();
        link.lastFaultMs = scheduler.nowMs();
      };
    }
    default:
      slot.silentUntilMs = scheduler.nowMs() + event.durationMs;
      return () => {
        slot.silentUntilMs = 0;
      };
  }
}

function onLinks(
  links: readonly Link[],
  { scheduler }: World,
  add: (link: Link, by: 1 | -1) => void,
): Undo {
  for (const link of links) add(link, 1);
  return () => {
    for (const link of links) {
      add(link, -1);
      link.lastFaultMs = scheduler.nowMs();
    }
  };
}
