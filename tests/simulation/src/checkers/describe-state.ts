import { isRawAlive, type RawState } from '../observe/raw-state.ts';

/** One text for one state, whatever the order of its parts. */
export function describeState(state: RawState): string {
  const { alive = '', deleted = '', base = '', vector } = state;
  const life = `alive ${alive} deleted ${deleted} base ${base}`;
  return `${describeVisible(state)} ${life} vector ${sorted(vector)}`;
}

/**
 * What a client can see, with its stamps. Where a tombstone was collected that is all that can be
 * the same: what the tombstone knew of older lives is forgotten there.
 */
export function describeVisible(state: RawState): string {
  if (!isRawAlive(state)) return 'deleted';
  const fields = new Map<string, string>();
  for (const [name, { stamp, value }] of state.fields) {
    if (value !== null) fields.set(name, `${JSON.stringify(value)}@${stamp}`);
  }
  return sorted(fields);
}

function sorted(entries: ReadonlyMap<string, string>): string {
  return [...entries]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');
}
