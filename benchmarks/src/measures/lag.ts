import type { LoadDriver } from '../load/load-driver.ts';
import { percentile } from '../load/run-writers.ts';
import { round } from '../stats/spread.ts';

export interface Lag {
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly samples: number;
  readonly writes: number;
  readonly failures: number;
  readonly writesPerSecond: number;
}

/** From the acknowledgement here until it can be read there, at so many writes a second. */
export async function measureLag(
  load: LoadDriver,
  options: {
    readonly writesPerSecond: number;
    readonly durationMs: number;
    readonly customers: number;
  },
): Promise<Lag> {
  const { writesPerSecond } = options;
  const report = await load.run({ kind: 'paced', writers: 64, ...options });
  const { lagsMs = [] } = report;
  return {
    lagMsP50: round(percentile(lagsMs, 0.5)),
    lagMsP99: round(percentile(lagsMs, 0.99)),
    samples: lagsMs.length,
    writes: report.writes,
    failures: report.failures,
    writesPerSecond: round(writesPerSecond),
  };
}
