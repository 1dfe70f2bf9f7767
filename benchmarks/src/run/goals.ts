import type { ApiVsFastify } from '../measures/api-vs-fastify.ts';
import type { Backlog } from '../measures/backlog.ts';
import type { Billed } from '../measures/billed.ts';
import type { Growth } from '../measures/growth.ts';
import type { IdleLatency } from '../measures/idle-latency.ts';
import type { Lag } from '../measures/lag.ts';
import type { ComparedLoads } from '../measures/replicated-vs-bare.ts';
import type { Spread } from '../stats/spread.ts';

export interface Measurements {
  readonly backlog: Backlog;
  readonly at64: ComparedLoads;
  readonly at256: ComparedLoads;
  readonly lag: Lag;
  readonly vsFirstForm: Spread;
  readonly openVsTyped: Spread;
  readonly transactionVsBare: Spread;
  readonly idleLatency: IdleLatency;
  readonly billed64: Billed;
  readonly billed256: Billed;
  readonly billedIdle: Billed;
  readonly apiVsFastify: ApiVsFastify;
  readonly growth: Growth;
}

/** The figures that have a goal. */
export interface Goals {
  readonly replicatedVsBare64: number;
  readonly replicatedVsBare256: number;
  readonly replicatedVsFirstForm: number;
  /** With 64 writers. */
  readonly openVsTyped64: number;
  /** Rows of transactions of 100, in both regions, by those of bare transactions. */
  readonly transactionVsBareTransaction: number;
  readonly cpuPerWriteVsBare: number;
  /** Over HTTP. */
  readonly ackLatencyIdle: number;
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly billedPerWrite: number;
  /** With 256 writers. */
  readonly billedPerWrite256: number;
  readonly billedPerWriteIdle: number;
  readonly catchUpVsBatch: number;
  readonly replayVsBatch: number;
  /** The smaller of GET and PUT. */
  readonly apiVsBareFastify: number;
  /** Writes to all customers in turn, a million by ten thousand; our own processor time. */
  readonly growth: number;
  /** Writes to ten thousand customers, in tables of as many and of a million. */
  readonly growthOfWorkingSet: number;
}

export function goalsOf(measured: Measurements): Goals {
  const { backlog, at64, at256, lag, apiVsFastify } = measured;
  return {
    replicatedVsBare64: at64.throughput.median,
    replicatedVsBare256: at256.throughput.median,
    replicatedVsFirstForm: measured.vsFirstForm.median,
    openVsTyped64: measured.openVsTyped.median,
    transactionVsBareTransaction: measured.transactionVsBare.median,
    cpuPerWriteVsBare: at256.cpu.median,
    ackLatencyIdle: measured.idleLatency.overHttp.median,
    lagMsP50: lag.lagMsP50,
    lagMsP99: lag.lagMsP99,
    billedPerWrite: measured.billed64.perWrite,
    billedPerWrite256: measured.billed256.perWrite,
    billedPerWriteIdle: measured.billedIdle.perWrite,
    catchUpVsBatch: backlog.catchUpVsBatch,
    replayVsBatch: backlog.replayVsBatch,
    apiVsBareFastify: Math.min(apiVsFastify.get.median, apiVsFastify.put.median),
    growth: measured.growth.counted.even,
    growthOfWorkingSet: measured.growth.counted.workingSet,
  };
}
