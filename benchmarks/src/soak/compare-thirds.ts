import type { Lag } from '../measures/lag.ts';
import { round, spreadOf } from '../stats/spread.ts';
import type { ProgramCosts } from './program-costs.ts';

/** Of the time that the soak takes. */
export interface Part extends Lag, ProgramCosts {
  /** At its end. */
  readonly minute: number;
}

/** The median of the first third, of the last, and the last by the first. */
interface Compared {
  readonly early: number;
  readonly late: number;
  readonly ratio: number;
}

export interface ComparedThirds {
  readonly lagMsP50: Compared;
  readonly lagMsP99: Compared;
  readonly lagMsP99Max: number;
  readonly memoryMib: Compared;
  readonly brokerMemoryMib: Compared;
  readonly storeMemoryMib: Compared;
  readonly cpuMsPerWrite: Compared;
  readonly storeCpuMsPerWrite: Compared;
}

export function compareThirds(parts: readonly Part[]): ComparedThirds {
  const third = Math.max(1, Math.floor(parts.length / 3));
  const compare = (of: (part: Part) => number): Compared => {
    const [early, late] = [parts.slice(0, third), parts.slice(-third)].map(
      (some) => spreadOf(some.map(of)).median,
    );
    return { early: early!, late: late!, ratio: round(late! / early!) };
  };
  return {
    lagMsP50: compare((part) => part.lagMsP50),
    lagMsP99: compare((part) => part.lagMsP99),
    lagMsP99Max: Math.max(...parts.map((part) => part.lagMsP99)),
    memoryMib: compare((part) => part.memoryMib.ours),
    brokerMemoryMib: compare((part) => part.memoryMib.brokers),
    storeMemoryMib: compare((part) => part.memoryMib.stores),
    cpuMsPerWrite: compare((part) => part.cpuMsPerWrite.ours),
    storeCpuMsPerWrite: compare((part) => part.cpuMsPerWrite.stores),
  };
}
