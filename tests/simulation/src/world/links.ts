import type { CallFault } from '../faults/fault-kinds.ts';
import { createFreezer, type Freezer } from './freezer.ts';

/** The network from the processes of one region to the queue of another. */
export interface Link {
  readonly from: string;
  readonly to: string;
  /** Faults may overlap, so each is counted. */
  cuts: number;
  answersLost: number;
  clogMs: number;
  readonly freezer: Freezer;
  /** True time at which it was last not whole. */
  lastFaultMs: number;
}

export interface Links {
  readonly all: readonly Link[];
  between(from: string, to: string): Link;
}

export function createLinks(regions: readonly string[]): Links {
  const all = regions.flatMap((from) =>
    regions
      .filter((to) => to !== from)
      .map(
        (to): Link => ({
          from,
          to,
          cuts: 0,
          answersLost: 0,
          clogMs: 0,
          freezer: createFreezer(true),
          lastFaultMs: -Infinity,
        }),
      ),
  );
  return {
    all,
    between(from, to) {
      const link = all.find((one) => one.from === from && one.to === to);
      if (link === undefined) throw new Error(`no link from ${from} to ${to}`);
      return link;
    },
  };
}

/** True when calls on it fail, hang or are late. */
export function isTroubledLink({ cuts, answersLost, clogMs, freezer }: Link): boolean {
  return cuts + answersLost + clogMs > 0 || freezer.isFrozen;
}

export function linkFault(link: Link): CallFault | undefined {
  if (link.cuts > 0) return 'unavailable';
  return link.answersLost > 0 ? 'answer-lost' : undefined;
}
