import type { RunPlan } from './run-plan.ts';

/** The true times between which faults happen and clients work. */
export function windowsOf(plan: RunPlan): readonly (readonly [fromMs: number, beforeMs: number])[] {
  const { startMs, faultsMs, quietMs } = plan;
  const first = [startMs, startMs + faultsMs] as const;
  if (quietMs === 0) return [first];
  const secondMs = startMs + faultsMs + quietMs;
  return [first, [secondMs, secondMs + faultsMs]];
}
