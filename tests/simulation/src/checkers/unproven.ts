import type { FinalChecker } from './checker.ts';

/** I2: when the faults are over, repair and rebuild leave regions that a verification proves equal. */
export const unproven: FinalChecker = {
  name: 'unproven',
  check({ world }) {
    const { all, isClosed } = world.recoveries;
    if (!isClosed) return ['the operators came to no end'];
    const last = all.at(-1);
    if (last === undefined) return [];
    const { state, command } = last;
    if (state.kind !== 'done') return [`${last.id} (${command.kind}) is ${state.kind} in the end`];
    const { report } = state;
    if (report.kind === 'verified' && report.proof.isEqual) return [];
    return [`the last verification does not prove the regions equal: ${describe(last.state)}`];
  },
};

function describe(state: object): string {
  return JSON.stringify(state, (_, value: unknown) =>
    value instanceof Map
      ? Object.fromEntries(value)
      : typeof value === 'bigint'
        ? String(value)
        : value,
  );
}
