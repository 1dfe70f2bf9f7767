import type { StoredRow } from '../ports/replica.ts';
import type { StoredState } from '../replication/decide-apply.ts';
import { stampsOf } from '../state/entity-state.ts';
import { hasSeen } from '../state/version-vector.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';

/**
 * What tells how an entity was at a time: its row, when it was not written since; the archive, when it
 * has every write of before that the row shows; else nothing does.
 */
export function proofOf(
  row: StoredRow | undefined,
  found: StoredState | undefined,
  beforeMs: number,
): 'row' | 'archive' | 'none' {
  if (row === undefined) return 'archive';
  const { state } = row;
  const isOlder = (stamp: Stamp): boolean => stampTimeMs(stamp) < beforeMs;
  if ([...state.vector.values()].every(isOlder)) return 'row';
  const vector = found?.state.vector ?? new Map<string, Stamp>();
  return [...stampsOf(state)].filter(isOlder).every((stamp) => hasSeen(vector, stamp))
    ? 'archive'
    : 'none';
}
