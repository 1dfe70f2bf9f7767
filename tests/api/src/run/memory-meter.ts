import { existsSync, readFileSync } from 'node:fs';

export interface MemoryReport {
  /** Resident, in MB: the median of the second and of the last quarter, and the highest. */
  readonly earlyMb: number;
  readonly lateMb: number;
  readonly highestMb: number;
  readonly isFlat: boolean;
}

export interface MemoryMeter {
  /** Reads what the process has now. */
  sample(): void;
  /** Undefined where the system does not tell, or the run was too short to tell. */
  report(): MemoryReport | undefined;
}

const SAMPLES_MIN = 40;
/** The collector takes its time: this much more is no leak yet. */
const GROWTH_MAX = 1.35;
const KIB_PER_MB = 1_024;

/** Of one process of this machine, by its id. */
export function createMemoryMeter(pid: number): MemoryMeter {
  const samples: number[] = [];
  const file = `/proc/${pid}/status`;
  return {
    sample() {
      if (!existsSync(file)) return;
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(file, 'utf8'))?.[1];
      if (kib !== undefined) samples.push(Number(kib) / KIB_PER_MB);
    },
    report() {
      if (samples.length < SAMPLES_MIN) return undefined;
      const quarter = Math.floor(samples.length / 4);
      const earlyMb = median(samples.slice(quarter, 2 * quarter));
      const lateMb = median(samples.slice(-quarter));
      const highestMb = Math.round(Math.max(...samples));
      return { earlyMb, lateMb, highestMb, isFlat: lateMb <= earlyMb * GROWTH_MAX };
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
}
