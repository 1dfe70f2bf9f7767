import type { LoadDriver } from '../load/load-driver.ts';
import type { Rig } from '../rig/start-regions.ts';
import { type Spread, spreadOf } from '../stats/spread.ts';

export interface Backlog {
  readonly rows: number;
  readonly bareBatchRowsPerSecond: Spread;
  /** Rows a second applied from the backlog, by rows a second of bare batches. */
  readonly catchUpVsBatch: Spread;
  /** Changes a second that the command replays into a table of its own, by the same. */
  readonly replayVsBatch: Spread;
}

/** Each over stores of its own: a table that holds what the round before wrote is slower to write to. */
interface BacklogRound {
  readonly bareBatchRowsPerSecond: number;
  readonly catchUpVsBatch: number;
  readonly replayVsBatch: number;
}

export function backlogOf(rows: number, rounds: readonly BacklogRound[]): Backlog {
  const of = (name: keyof BacklogRound): Spread => spreadOf(rounds.map((one) => one[name]));
  return {
    rows,
    bareBatchRowsPerSecond: of('bareBatchRowsPerSecond'),
    catchUpVsBatch: of('catchUpVsBatch'),
    replayVsBatch: of('replayVsBatch'),
  };
}

/** Bare batches one after the other, as someone writes who has many rows. */
const BATCH_WRITERS = 1;

interface BacklogOptions {
  /** With no replicator yet. */
  readonly rig: Rig;
  readonly load: LoadDriver;
  readonly rows: number;
  readonly durationMs: number;
}

export async function measureBacklog(options: BacklogOptions): Promise<BacklogRound> {
  const { rig, load, rows, durationMs } = options;
  const batches = (): Promise<number> =>
    load
      .run({ kind: 'bare-batches', writers: BATCH_WRITERS, durationMs, customers: 0 })
      .then((report) => (report.writes * 1_000) / report.elapsedMs);
  const common = { writers: 256, durationMs, customers: rows };
  await load.run({ kind: 'backlog', ...common });
  const before = await batches();
  await rig.startReplicator('west');
  const startedMs = performance.now();
  await load.run({ kind: 'until-replicated', ...common });
  const caughtUp = (rows * 1_000) / (performance.now() - startedMs);
  const between = await batches();
  const replayed = await load.run({ kind: 'replay', ...common });
  const after = await batches();
  const replayRate = (replayed.writes * 1_000) / replayed.elapsedMs;
  return {
    bareBatchRowsPerSecond: between,
    catchUpVsBatch: caughtUp / ((before + between) / 2),
    replayVsBatch: replayRate / ((between + after) / 2),
  };
}
