import type { Draw } from '../world/draw.ts';
import { CALL_FAULT_RULES, type CallClass, type CallFault } from './fault-kinds.ts';

export interface FaultInjectorOptions {
  readonly draw: Draw;
  /** When given, only the faults with these ids happen: a replay, or a step of shrinking. */
  readonly only?: ReadonlySet<string>;
  /** No call fails by itself, so that what lasts shows what it does to those beside it. */
  readonly isCalm?: boolean;
  /** Calls that often take long. */
  readonly slowSites?: ReadonlySet<string>;
}

/** Decides which calls fail and how, and keeps the list of what happened. */
export interface FaultInjector {
  /** What becomes of the call named `key`, whose place in the code is `site`. */
  faultOf(key: string, call: CallClass, site: string): CallFault | undefined;
  /** Whether a fault that is no call's, such as a partition, happens. Keeps it when it does. */
  admits(id: string, kind: string): boolean;
  /** Until it is resumed nothing fails. */
  pause(): void;
  resume(): void;
  /** Ids of the faults that happened, in order. */
  readonly happened: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
}

const CALM: ReadonlySet<CallFault> = new Set([
  'touched',
  'short-page',
  'duplicated',
  'reordered',
  'held-back',
]);
/** A seed leaves out some kinds, so that each is also seen without the others. */
const KIND_PROBABILITY = 0.55;
const WEIGHTS = [0.3, 1, 1, 2.5];
/**
 * Rare places would hardly ever be crashed at, so each seed chooses a few to crash at often: most at the
 * first calls of a process there, since some make no others.
 */
const HOT_SITE_PROBABILITY = 0.06;
const HOT_SITE_CRASH_RATE = 0.08;
/** Few seeds come by there, and then once or twice, so those that do crash there more readily. */
const RARE_SITES = new Set(['replicator.tombstones.commit.tombstone']);
const RARE_SITE_PROBABILITY = 0.5;
/** A command passes each place of its own a few times in a run. */
const OPERATOR_SITES = 'operator.';
const OPERATOR_SITE_PROBABILITY = 0.12;
const SLOW_SITE_RATE = 0.5;
const FIRST_CALLS = 4;
const FIRST_CALLS_CRASH_RATE = 0.3;

interface WeightedFault {
  readonly fault: CallFault;
  readonly rate: number;
}

export function createFaultInjector({
  draw,
  only,
  isCalm = false,
  slowSites,
}: FaultInjectorOptions): FaultInjector {
  const happened: string[] = [];
  const counts = new Map<string, number>();
  const hotSites = new Map<string, boolean>();
  let isPaused = false;
  const rates = drawRates(draw, isCalm);
  const hasCrashes = rates.get('sleep')?.some(({ fault }) => fault.startsWith('crash')) === true;

  const keep = (id: string, kind: string): boolean => {
    if (isPaused || (only !== undefined && !only.has(id))) return false;
    happened.push(id);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return true;
  };

  const isHot = (site: string): boolean => {
    let known = hotSites.get(site);
    if (known === undefined) {
      const probability = site.startsWith(OPERATOR_SITES)
        ? OPERATOR_SITE_PROBABILITY
        : RARE_SITES.has(site)
          ? RARE_SITE_PROBABILITY
          : HOT_SITE_PROBABILITY;
      known = draw.chance(`hot.${site}`, probability);
      hotSites.set(site, known);
    }
    return known;
  };

  const choose = (key: string, call: CallClass, site: string): CallFault | undefined => {
    let at = draw.fraction(key);
    if (hasCrashes && isHot(site)) {
      const isFirst = Number(key.slice(key.lastIndexOf('.') + 1)) <= FIRST_CALLS;
      const rate = isFirst ? FIRST_CALLS_CRASH_RATE : HOT_SITE_CRASH_RATE;
      if (at < rate / 2) return 'crash-before';
      if (at < rate) return 'crash-after';
      at -= rate;
    }
    if (slowSites?.has(site) === true && draw.chance(`${key}.slow-site`, SLOW_SITE_RATE))
      return 'slow';
    for (const { fault, rate } of rates.get(call) ?? []) {
      if (at < rate) return fault;
      at -= rate;
    }
    return undefined;
  };

  return {
    faultOf(key, call, site) {
      if (isPaused) return undefined;
      const fault = choose(key, call, site);
      return fault !== undefined && keep(key, fault) ? fault : undefined;
    },
    admits: keep,
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    happened,
    counts,
  };
}

function drawRates(draw: Draw, isCalm: boolean): ReadonlyMap<CallClass, readonly WeightedFault[]> {
  const rates = new Map<CallClass, WeightedFault[]>();
  for (const rule of CALL_FAULT_RULES) {
    if (!draw.chance(`kind.${rule.fault}`, KIND_PROBABILITY)) continue;
    if (isCalm && !CALM.has(rule.fault)) continue;
    const rate = rule.rate * draw.pick(`weight.${rule.fault}`, WEIGHTS);
    for (const call of rule.calls) {
      rates.set(call, [...(rates.get(call) ?? []), { fault: rule.fault, rate }]);
    }
  }
  return rates;
}
