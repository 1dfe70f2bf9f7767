import type { Backlog } from '../measures/backlog.ts';
import type { Billed } from '../measures/billed.ts';
import type { Lag } from '../measures/lag.ts';
import type { ComparedLoads } from '../measures/replicated-vs-bare.ts';

export interface Measurements {
  readonly backlog: Backlog;
  readonly at64: ComparedLoads;
  readonly at256: ComparedLoads;
  readonly lag: Lag;
  readonly vsFirstForm: number;
  readonly idleLatency: number;
  readonly billed64: Billed;
  readonly billedIdle: Billed;
}

/** The figures that have a goal. */
export interface Goals {
  readonly replicatedVsBare64: number;
  readonly replicatedVsBare256: number;
  readonly replicatedVsFirstForm: number;
  readonly cpuPerWriteVsBare: number;
  /** Of the table itself, without HTTP in front. */
  readonly ackLatencyIdle: number;
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly billedPerWrite: number;
  readonly billedPerWriteIdle: number;
  readonly catchUpVsBatch: number;
  readonly replayVsBatch: number;
}

export function goalsOf(measured: Measurements): Goals {
  const { backlog, at64, at256, lag } = measured;
  return {
    replicatedVsBare64: at64.throughput.median,
    replicatedVsBare256: at256.throughput.median,
    replicatedVsFirstForm: measured.vsFirstForm,
    cpuPerWriteVsBare: at256.cpu.median,
    ackLatencyIdle: measured.idleLatency,
    lagMsP50: lag.lagMsP50,
    lagMsP99: lag.lagMsP99,
    billedPerWrite: measured.billed64.perWrite,
    billedPerWriteIdle: measured.billedIdle.perWrite,
    catchUpVsBatch: backlog.catchUpVsBatch,
    replayVsBatch: backlog.replayVsBatch,
  };
}
