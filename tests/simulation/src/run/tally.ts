import type { SeedResult } from './seed-result.ts';

/** What many runs add up to. */
interface Summary {
  readonly seeds: number;
  readonly operations: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly crashPointsCovered: number;
  readonly awaitsTotal: number;
  /** Of these, the points of recovery commands. */
  readonly recoveryCrashPointsCovered: number;
  readonly recoveryAwaitsTotal: number;
  /** Commands of operators that came to their end. */
  readonly recoveries: number;
  /** Processes of the product that ended by themselves: by an error that nobody handled. */
  readonly processesEnded: number;
  readonly simulatedHours: number;
  readonly lost: number;
  readonly diverged: number;
  readonly resurrected: number;
  readonly failed: number;
}

export interface Tally {
  add(result: SeedResult): void;
  summary(): Summary;
  /** Points at which no process has died. */
  uncovered(): readonly string[];
  readonly failures: readonly SeedResult[];
}

const HOUR_MS = 3_600_000;
/** More are only counted. */
const FAILURES_KEPT_MAX = 100;

export function createTally(): Tally {
  const faults = new Map<string, number>();
  const violated = new Map<string, number>();
  const seen = new Set<string>();
  const crashed = new Set<string>();
  const failures: SeedResult[] = [];
  const sums = {
    seeds: 0,
    operations: 0,
    simulatedMs: 0,
    recoveries: 0,
    processesEnded: 0,
    failed: 0,
  };
  return {
    failures,
    add(result) {
      sums.seeds += 1;
      sums.operations += result.operations;
      sums.simulatedMs += result.simulatedMs;
      sums.recoveries += result.recoveries;
      sums.processesEnded += result.processesEnded;
      for (const [kind, count] of Object.entries(result.faults)) {
        faults.set(kind, (faults.get(kind) ?? 0) + count);
      }
      for (const site of result.sitesSeen) seen.add(site);
      for (const site of result.sitesCrashed) crashed.add(site);
      for (const { checker } of result.violations) {
        violated.set(checker, (violated.get(checker) ?? 0) + 1);
      }
      if (result.violations.length === 0) return;
      sums.failed += 1;
      if (failures.length < FAILURES_KEPT_MAX) failures.push(result);
    },
    summary: () => ({
      seeds: sums.seeds,
      operations: sums.operations,
      faults: Object.fromEntries([...faults].sort(([a], [b]) => (a < b ? -1 : 1))),
      crashPointsCovered: crashed.size,
      awaitsTotal: seen.size,
      recoveryCrashPointsCovered: ofRecovery(crashed),
      recoveryAwaitsTotal: ofRecovery(seen),
      recoveries: sums.recoveries,
      processesEnded: sums.processesEnded,
      simulatedHours: Math.round((sums.simulatedMs / HOUR_MS) * 10) / 10,
      lost: violated.get('lost') ?? 0,
      diverged: violated.get('diverged') ?? 0,
      resurrected: violated.get('resurrected') ?? 0,
      failed: sums.failed,
    }),
    uncovered: () => [...seen].filter((point) => !crashed.has(point)).sort(),
  };
}

function ofRecovery(points: ReadonlySet<string>): number {
  return [...points].filter((point) => point.startsWith('operator.')).length;
}
