import type { LoadDriver } from '../load/load-driver.ts';
import { percentile, round, type Spread, spreadOfPercentile } from '../stats/spread.ts';

export interface Lag {
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly samples: number;
  readonly writes: number;
  readonly failures: number;
  readonly writesPerSecond: number;
}

/** Of several rounds: the percentiles of all their samples. */
export type LagRounds = Omit<Lag, 'lagMsP50' | 'lagMsP99'> & {
  readonly lagMsP50: Spread;
  readonly lagMsP99: Spread;
};

interface LagOptions {
  readonly writesPerSecond: number;
  readonly durationMs: number;
  readonly customers: number;
}

/** From the acknowledgement here until it can be read there, at so many writes a second. */
export async function measureLag(load: LoadDriver, options: LagOptions): Promise<Lag> {
  const { lagsMs, ...counts } = await measureOnce(load, options);
  return {
    lagMsP50: round(percentile(lagsMs, 0.5)),
    lagMsP99: round(percentile(lagsMs, 0.99)),
    ...counts,
  };
}

/** The same in so many rounds, of `durationMs` each. */
export async function measureLagInRounds(
  load: LoadDriver,
  { rounds, ...options }: LagOptions & { readonly rounds: number },
): Promise<LagRounds> {
  const measured: Awaited<ReturnType<typeof measureOnce>>[] = [];
  for (let nth = 0; nth < rounds; nth += 1) measured.push(await measureOnce(load, options));
  const lagsMs = measured.map((one) => one.lagsMs);
  const sum = (of: 'samples' | 'writes' | 'failures'): number =>
    measured.reduce((all, one) => all + one[of], 0);
  return {
    lagMsP50: spreadOfPercentile(lagsMs, 0.5),
    lagMsP99: spreadOfPercentile(lagsMs, 0.99),
    samples: sum('samples'),
    writes: sum('writes'),
    failures: sum('failures'),
    writesPerSecond: round(options.writesPerSecond),
  };
}

async function measureOnce(
  load: LoadDriver,
  options: LagOptions,
): Promise<Omit<Lag, 'lagMsP50' | 'lagMsP99'> & { readonly lagsMs: readonly number[] }> {
  const report = await load.run({ kind: 'paced', writers: 64, ...options });
  const { writes, failures, lagsMs = [] } = report;
  const writesPerSecond = round(options.writesPerSecond);
  return { lagsMs, samples: lagsMs.length, writes, failures, writesPerSecond };
}
