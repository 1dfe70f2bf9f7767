// The figures of the last hour, for the plots: in memory, since longer histories are for what scrapes the metrics.
import type { Dated, RegionView } from './region-view.ts';

/** What is drawn: one plot for each. */
export type PlotName = 'lag' | 'outbox' | 'writes' | 'risk';

interface Series {
  readonly label: string;
  /** Null where it was not known. */
  readonly values: readonly (number | null)[];
}

export interface PlotRing {
  add(nowMs: number, regions: readonly RegionView[], freshMsMax: number): void;
  /** In seconds since the epoch, as the plots take them, the oldest first. */
  times(): readonly number[];
  series(plot: PlotName): readonly Series[];
}

interface Sample {
  readonly atMs: number;
  readonly values: ReadonlyMap<string, number>;
}

const SPAN_MS = 3_600_000;
/** One a second for an hour: who refreshes more often keeps less. */
const SAMPLES_MAX = 3_600;
const MS_PER_S = 1_000;

export function createPlotRing(names: readonly string[]): PlotRing {
  const samples: Sample[] = [];
  const counts = new Map<string, Count>();

  const labels: Readonly<Record<PlotName, readonly string[]>> = {
    lag: directionsOf(names),
    outbox: directionsOf(names),
    writes: names,
    risk: names,
  };
  return {
    add(nowMs, regions, freshMsMax) {
      const fresh = <T>(figure: Dated<T> | undefined): T | undefined =>
        figure !== undefined && nowMs - figure.atMs <= freshMsMax ? figure.value : undefined;
      const values = new Map<string, number>();
      for (const region of regions) {
        const status = fresh(region.status);
        for (const { peer, lagMs, owedAgeMs } of status?.directions ?? []) {
          if (lagMs !== undefined) values.set(`lag ${arrow(peer, region.name)}`, lagMs / MS_PER_S);
          values.set(`outbox ${arrow(region.name, peer)}`, (owedAgeMs ?? 0) / MS_PER_S);
        }
        const risk = fresh(region.risk);
        if (risk !== undefined) values.set(`risk ${region.name}`, risk.lost + risk.unreadable);
        if (region.relayed === undefined) counts.delete(region.name);
        else counts.set(region.name, countOn(counts.get(region.name), region.relayed));
        const rate = counts.get(region.name)?.rate;
        if (rate !== undefined) values.set(`writes ${region.name}`, rate);
      }
      samples.push({ atMs: nowMs, values });
      while (samples.length > SAMPLES_MAX || nowMs - (samples[0]?.atMs ?? nowMs) > SPAN_MS) {
        samples.shift();
      }
    },
    times: () => samples.map(({ atMs }) => atMs / MS_PER_S),
    series: (plot) =>
      labels[plot].map((label) => ({
        label,
        values: samples.map(({ values }) => values.get(`${plot} ${label}`) ?? null),
      })),
  };
}

function directionsOf(names: readonly string[]): readonly string[] {
  return names.flatMap((from) => names.flatMap((to) => (to === from ? [] : [arrow(from, to)])));
}

function arrow(from: string, to: string): string {
  return `${from} → ${to}`;
}

interface Count {
  readonly last: Dated<number>;
  /** How many a second; undefined until there are two counts, and where a restart began the count anew. */
  readonly rate: number | undefined;
}

function countOn(before: Count | undefined, last: Dated<number>): Count {
  if (before === undefined) return { last, rate: undefined };
  const passedMs = last.atMs - before.last.atMs;
  // Nobody has asked since.
  if (passedMs <= 0) return before;
  const more = last.value - before.last.value;
  return { last, rate: more < 0 ? undefined : (more * MS_PER_S) / passedMs };
}
