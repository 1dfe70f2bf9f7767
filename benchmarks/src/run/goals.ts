import type { ApiVsFastify } from '../measures/api-vs-fastify.ts';
import type { Backlog } from '../measures/backlog.ts';
import type { BilledRounds } from '../measures/billed.ts';
import type { Growth } from '../measures/growth.ts';
import type { IdleLatency } from '../measures/idle-latency.ts';
import type { LagRounds } from '../measures/lag.ts';
import type { ComparedLoads } from '../measures/replicated-vs-bare.ts';
import type { Spread } from '../stats/spread.ts';
import { type FigureDefinitions, type RecordedSpread, swingsOf } from './figures.ts';

export interface Measurements {
  readonly backlog: Backlog;
  readonly at64: ComparedLoads;
  readonly at256: ComparedLoads;
  readonly lag: LagRounds;
  readonly vsFirstForm: Spread;
  readonly openVsTyped: Spread;
  readonly transactionVsBare: Spread;
  readonly idleLatency: IdleLatency;
  readonly billed64: BilledRounds;
  readonly billed256: BilledRounds;
  readonly billedIdle: BilledRounds;
  readonly apiVsFastify: ApiVsFastify;
  readonly growth: Growth;
}

/** What a line of the history holds: of an early run less, and numbers where there are spreads now. */
export type Recorded<Measured = Measurements> = {
  readonly [Name in keyof Measured]?: Measured[Name] extends Spread
    ? RecordedSpread | number
    : Measured[Name] extends object
      ? Recorded<Measured[Name]>
      : Measured[Name];
};

/** The figures that have a goal, and those that explain one. */
export const FIGURES = {
  replicatedVsBare64: { better: 'higher', goal: 1.6, of: ({ at64 }) => at64?.throughput },
  replicatedVsBare256: { better: 'higher', goal: 2.6, of: ({ at256 }) => at256?.throughput },
  replicatedVsFirstForm: { better: 'higher', goal: 6, of: ({ vsFirstForm }) => vsFirstForm },
  /** With 64 writers. */
  openVsTyped64: { better: 'higher', of: ({ openVsTyped }) => openVsTyped },
  /** Rows of transactions of 100, in both regions, by those of bare transactions. */
  transactionVsBareTransaction: {
    better: 'higher',
    goal: 0.6,
    of: ({ transactionVsBare }) => transactionVsBare,
  },
  cpuPerWriteVsBare: { better: 'lower', goal: 0.4, of: ({ at256 }) => at256?.cpu },
  /** Over HTTP. */
  ackLatencyIdle: { better: 'lower', goal: 1.5, of: ({ idleLatency }) => idleLatency?.overHttp },
  lagMsP50: { better: 'lower', goal: 30, of: ({ lag }) => lag?.lagMsP50 },
  lagMsP99: { better: 'lower', goal: 90, of: ({ lag }) => lag?.lagMsP99 },
  billedPerWrite: { better: 'lower', goal: 0.2, of: ({ billed64 }) => billed64?.perWrite },
  /** With 256 writers. */
  billedPerWrite256: { better: 'lower', goal: 0.06, of: ({ billed256 }) => billed256?.perWrite },
  billedPerWriteIdle: { better: 'lower', goal: 9, of: ({ billedIdle }) => billedIdle?.perWrite },
  catchUpVsBatch: { better: 'higher', goal: 2, of: ({ backlog }) => backlog?.catchUpVsBatch },
  replayVsBatch: { better: 'higher', goal: 2, of: ({ backlog }) => backlog?.replayVsBatch },
  apiVsBareFastifyGet: { better: 'higher', goal: 0.6, of: ({ apiVsFastify }) => apiVsFastify?.get },
  apiVsBareFastifyPut: { better: 'higher', goal: 0.6, of: ({ apiVsFastify }) => apiVsFastify?.put },
  /** Writes to all customers in turn, a million by ten thousand; our own processor time. */
  growth: { better: 'lower', goal: 0.9, of: ({ growth }) => growth?.counted?.even },
  /** Writes to ten thousand customers, in tables of as many and of a million. */
  growthOfWorkingSet: { better: 'lower', of: ({ growth }) => growth?.counted?.workingSet },
} as const satisfies FigureDefinitions<string, Recorded>;

/** What makes the run invalid: the baselines that swung. */
export function whyInvalid({ at64, at256, backlog, apiVsFastify }: Recorded): string[] {
  return swingsOf({
    'the bare loop with 64 writers': at64?.bareWritesPerSecond,
    'the bare loop with 256 writers': at256?.bareWritesPerSecond,
    'the loop of bare batches': backlog?.bareBatchRowsPerSecond,
    'the bare Fastify route with GET': apiVsFastify?.bareGetsPerSecond,
    'the bare Fastify route with PUT': apiVsFastify?.barePutsPerSecond,
  });
}
