import type { RunningProgram } from '../rig/start-program.ts';
import { round } from '../stats/spread.ts';

/** Whose a program is: the stores and brokers stand for services that are Azure's. */
const OWNERS = ['ours', 'stores', 'brokers'] as const;
type Owner = (typeof OWNERS)[number];
type ByOwner = Readonly<Record<Owner, number>>;

export interface ProgramCosts {
  /** Resident. The stores keep every row and the archive in memory, so theirs has to grow. */
  readonly memoryMib: ByOwner;
  /** Processor time a write. */
  readonly cpuMsPerWrite: ByOwner;
}

interface Reading {
  readonly memoryMib: ByOwner;
  readonly cpuMs: ByOwner;
}

export function costsOf(programs: readonly RunningProgram[]): Reading {
  const sumOf = (of: (program: RunningProgram) => number): ByOwner => {
    const sums = { ours: 0, stores: 0, brokers: 0 };
    for (const program of programs) sums[ownerOf(program)] += of(program);
    return sums;
  };
  return {
    memoryMib: sumOf((program) => program.memoryMib()),
    cpuMs: sumOf((program) => program.cpuMs()),
  };
}

export function costsSince(before: Reading, now: Reading, writes: number): ProgramCosts {
  const each = (of: (owner: Owner) => number): ByOwner => ({
    ours: round(of('ours')),
    stores: round(of('stores')),
    brokers: round(of('brokers')),
  });
  return {
    memoryMib: each((owner) => now.memoryMib[owner]),
    cpuMsPerWrite: each((owner) => (now.cpuMs[owner] - before.cpuMs[owner]) / writes),
  };
}

function ownerOf({ name }: RunningProgram): Owner {
  if (name.endsWith('tables')) return 'stores';
  return name.endsWith('broker') ? 'brokers' : 'ours';
}
