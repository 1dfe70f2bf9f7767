import type { LoadCommand } from '../load/load-command.ts';
import type { LoadDriver } from '../load/load-driver.ts';
import { alternate } from '../run/alternate.ts';
import { type Spread, spreadOf } from '../stats/spread.ts';

export interface CompareRatesOptions {
  readonly load: LoadDriver;
  readonly subject: LoadCommand['kind'];
  readonly baseline: LoadCommand['kind'];
  readonly writers: number;
  readonly rounds: number;
  readonly durationMs: number;
  readonly customers: number;
}

/** Rows a second until the other region has all of them, where there is one, of the subject by those of the baseline. */
export async function compareRates(options: CompareRatesOptions): Promise<Spread> {
  const { load, rounds, subject, baseline, ...common } = options;
  const rate = async (kind: LoadCommand['kind']): Promise<number> => {
    const report = await load.run({ kind, ...common });
    return (report.writes * 1_000) / report.replicatedMs;
  };
  const pairs = await alternate(rounds, {
    subject: () => rate(subject),
    baseline: () => rate(baseline),
  });
  return spreadOf(pairs.map((pair) => pair.subject / pair.baseline));
}
