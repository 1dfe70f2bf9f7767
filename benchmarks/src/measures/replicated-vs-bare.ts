import type { LoadReport } from '../load/load-command.ts';
import type { LoadDriver } from '../load/load-driver.ts';
import type { Rig } from '../rig/start-regions.ts';
import { alternate, type Pair } from '../run/alternate.ts';
import { round, type Spread, spreadOf } from '../stats/spread.ts';

export interface ComparedLoads {
  readonly writers: number;
  /** Writes a second that were acknowledged and reached the other region, by bare upserts a second. */
  readonly throughput: Spread;
  /** The same without waiting for the other region. */
  readonly acknowledged: Spread;
  /** Processor seconds of every process of both regions, by those of a bare client and its store. */
  readonly cpu: Spread;
  readonly writesPerChangeSet: Spread;
  /** For orientation; they say as much of the machine as of this product. */
  readonly bareWritesPerSecond: Spread;
  readonly replicatedWritesPerSecond: Spread;
  /** Milliseconds of processor time a write, of each process, in the last round. */
  readonly cpuMsPerWrite: Readonly<Record<string, number>>;
}

export interface CompareOptions {
  readonly rig: Rig;
  readonly load: LoadDriver;
  readonly writers: number;
  readonly rounds: number;
  readonly durationMs: number;
  readonly customers: number;
}

interface Measured {
  readonly report: LoadReport;
  readonly cpuMs: Readonly<Record<string, number>>;
}

export async function compareLoads(options: CompareOptions): Promise<ComparedLoads> {
  const rounds = await alternate(options.rounds, {
    subject: () => measure('replicated', options),
    baseline: () => measure('bare', options),
  });
  const of = (pick: (one: Pair<Measured>) => number): Spread => spreadOf(rounds.map(pick));
  const last = rounds.at(-1);
  return {
    writers: options.writers,
    throughput: of(({ baseline, subject }) => rateOf(subject) / rateOf(baseline)),
    acknowledged: of(({ baseline, subject }) => acknowledgedRate(subject) / rateOf(baseline)),
    cpu: of(({ baseline, subject }) => totalOf(subject) / bareCpuOf(baseline)),
    writesPerChangeSet: of(({ subject: { report } }) => report.writes / report.changeSets),
    bareWritesPerSecond: of(({ baseline }) => rateOf(baseline)),
    replicatedWritesPerSecond: of(({ subject }) => rateOf(subject)),
    cpuMsPerWrite: last === undefined ? {} : perWrite(last.subject),
  };
}

async function measure(kind: 'bare' | 'replicated', options: CompareOptions): Promise<Measured> {
  const { rig, load, writers, durationMs, customers } = options;
  const programs = [...rig.programs, load.program];
  const before = programs.map((program) => program.cpuMs());
  const report = await load.run({ kind, writers, durationMs, customers });
  const used = programs.map((program, index): [string, number] => [
    program.name,
    program.cpuMs() - (before[index] ?? 0),
  ]);
  return { report, cpuMs: Object.fromEntries(used) };
}

function rateOf({ report }: Measured): number {
  return (report.writes * 1_000) / report.replicatedMs;
}

function acknowledgedRate({ report }: Measured): number {
  return (report.writes * 1_000) / report.elapsedMs;
}

function totalOf({ report, cpuMs }: Measured): number {
  return Object.values(cpuMs).reduce((sum, one) => sum + one, 0) / report.writes;
}

/** The other programs idle beside it, and are no part of what a user would run instead. */
function bareCpuOf({ report, cpuMs }: Measured): number {
  return ((cpuMs['load'] ?? 0) + (cpuMs['east tables'] ?? 0)) / report.writes;
}

function perWrite({ report, cpuMs }: Measured): Record<string, number> {
  return Object.fromEntries(
    Object.entries(cpuMs).map(([name, ms]) => [name, round(ms / report.writes)]),
  );
}
