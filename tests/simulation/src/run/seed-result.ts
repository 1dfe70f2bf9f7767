import type { Violation } from '../checkers/checker.ts';

/** What one run gave, as plain data: it travels from a process of its own. */
export interface SeedResult {
  readonly seed: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** Commands of operators that came to their end. */
  readonly recoveries: number;
  /** By an error that nobody handled: out of a loop, a request or a promise that nobody waits for. */
  readonly processesEnded: number;
  /** Of the whole trace. */
  readonly digest: string;
  readonly violations: readonly Violation[];
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** The ids of all faults, in order: what a replay is told to repeat. */
  readonly happened: readonly string[];
  readonly trace?: readonly string[];
  readonly sitesSeen: readonly string[];
  readonly sitesCrashed: readonly string[];
}
