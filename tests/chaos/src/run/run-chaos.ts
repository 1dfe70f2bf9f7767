import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Breakage } from '../broken/breakage.ts';
import { type ChaosCluster, startChaosCluster } from '../cluster/start-chaos-cluster.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultCounts } from '../faults/inflict-fault.ts';
import { type HistoryLog, openHistoryLog } from '../history/history-log.ts';
import type { RowOperation } from '../history/row-operation.ts';
import type { ChaosReport } from './chaos-report.ts';
import { judge } from './judge.ts';
import { torment } from './torment.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** The names of the regions. */
  readonly regions: readonly string[];
  readonly runMs: number;
  readonly faults: readonly Fault[];
  readonly breakage?: Breakage | undefined;
  /** For the logs, the history and the findings; created when it is missing. */
  readonly folder: string;
  /** How long the regions may take to become ready, and then to become equal. */
  readonly settleMsMax: number;
  readonly say: (line: string) => void;
  /** Aborted, the run ends at once: it rejects when nothing of it is left. */
  readonly signal: AbortSignal;
}

/** Starts the regions, works on them while they are tormented, lets them heal, and judges them. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { folder, regions, say, signal } = options;
  await mkdir(folder, { recursive: true });
  const endedByThemselves: string[] = [];
  say(`seed ${options.seed}, ${options.faults.length} faults planned, all in ${folder}`);
  const chaos = await startChaosCluster({
    regions,
    dataFolder: join(folder, 'cluster'),
    signal,
    onEvent: (event) => {
      if (event.kind !== 'ended') return;
      endedByThemselves.push(event.message);
      say(event.message);
    },
  });
  const history = openHistoryLog(join(folder, 'history.ndjson'));
  const rowHistory = openHistoryLog<RowOperation>(join(folder, 'rows.ndjson'));
  try {
    const counts = { kills: 0, pauses: 0, freezes: 0, partitions: 0, stops: 0 };
    const parts = { chaos, history, rowHistory, counts, endedByThemselves };
    await torment(options, parts);
    signal.throwIfAborted();
    return await judge(options, parts);
  } finally {
    await Promise.all([history.close(), rowHistory.close()]);
    await chaos.stop();
  }
}

export interface ChaosParts {
  readonly chaos: ChaosCluster;
  readonly history: HistoryLog;
  /** Of the clients of Table Storage. */
  readonly rowHistory: HistoryLog<RowOperation>;
  readonly counts: FaultCounts;
  /** What is told of processes that have ended by themselves. */
  readonly endedByThemselves: readonly string[];
}
