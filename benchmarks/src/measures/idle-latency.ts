import type { LoadDriver } from '../load/load-driver.ts';
import { alternate } from '../run/alternate.ts';
import { type Spread, spreadOf } from '../stats/spread.ts';

export interface IdleLatencyOptions {
  readonly load: LoadDriver;
  readonly apiUrl: string;
  readonly rounds: number;
  readonly durationMs: number;
  readonly customers: number;
}

/** Of one write at a time, the median: over HTTP, and of the table itself, by that of a bare upsert. */
export interface IdleLatency {
  readonly overHttp: Spread;
  readonly ofTable: Spread;
}

export async function compareIdleLatency(options: IdleLatencyOptions): Promise<IdleLatency> {
  const { load, rounds, ...common } = options;
  const latency = async (kind: 'http' | 'replicated' | 'bare'): Promise<number> =>
    (await load.run({ kind, writers: 1, ...common })).latencyMsP50;
  const against = async (kind: 'http' | 'replicated'): Promise<Spread> => {
    const pairs = await alternate(rounds, {
      subject: () => latency(kind),
      baseline: () => latency('bare'),
    });
    return spreadOf(pairs.map(({ subject, baseline }) => subject / baseline));
  };
  return { overHttp: await against('http'), ofTable: await against('replicated') };
}
