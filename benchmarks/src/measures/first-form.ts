import type { LoadDriver } from '../load/load-driver.ts';
import { alternate } from '../run/alternate.ts';
import { type Spread, spreadOf } from '../stats/spread.ts';

export interface FirstFormOptions {
  readonly load: LoadDriver;
  readonly writers: number;
  readonly rounds: number;
  readonly durationMs: number;
  readonly customers: number;
}

/** Writes a second until the other region has all of them, by those of the pattern's first form. */
export async function compareFirstForm(options: FirstFormOptions): Promise<Spread> {
  const { load, rounds, ...common } = options;
  const rate = async (kind: 'replicated' | 'first-form'): Promise<number> => {
    const report = await load.run({ kind, ...common });
    return (report.writes * 1_000) / report.replicatedMs;
  };
  const pairs = await alternate(rounds, {
    subject: () => rate('replicated'),
    baseline: () => rate('first-form'),
  });
  return spreadOf(pairs.map(({ subject, baseline }) => subject / baseline));
}
