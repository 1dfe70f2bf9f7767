import type { LoadDriver } from '../load/load-driver.ts';
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
  /** The bare upsert that they are divided by, in milliseconds. */
  readonly bareMs: Spread;
}

/**
 * All three by the same process in turns of a few hundred milliseconds, each turn beginning once what the one
 * before left to relay, apply and archive is done. The ratios are those of turns of one round. Writes follow one
 * another at once, so that each competes with the relay and the apply of those before it, as it does in use.
 */
export async function compareIdleLatency(options: IdleLatencyOptions): Promise<IdleLatency> {
  const { load, rounds, durationMs, customers, apiUrl } = options;
  const writes = { writers: 1, durationMs: rounds * durationMs, customers, apiUrl };
  const { inTurns = [] } = await load.run({ kind: 'in-turns', ...writes });
  return {
    overHttp: spreadOf(inTurns.map(({ http, bare }) => http / bare)),
    ofTable: spreadOf(inTurns.map(({ replicated, bare }) => replicated / bare)),
    bareMs: spreadOf(inTurns.map(({ bare }) => bare)),
  };
}
