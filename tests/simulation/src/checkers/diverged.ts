import {
  type FinalChecker,
  type FinalRegion,
  type FinalState,
  isCollectedAnywhere,
} from './checker.ts';
import { describeState, describeVisible } from './describe-state.ts';

/**
 * I2: when faults have stopped, all regions become equal: field for field, stamp for stamp, and as
 * the store keeps them, byte for byte.
 */
export const diverged: FinalChecker = {
  name: 'diverged',
  check(final) {
    const [first, ...others] = final.regions;
    if (first === undefined) return [];
    const ids = new Set(final.regions.flatMap(({ rows }) => [...rows.keys()]));
    return others.flatMap((other) =>
      [...ids].flatMap((entityId) => {
        const a = describe(final, first, entityId);
        const b = describe(final, other, entityId);
        return a === b ? [] : [`${entityId} is ${a} in ${first.name} and ${b} in ${other.name}`];
      }),
    );
  },
};

function describe(final: FinalState, region: FinalRegion, entityId: string): string {
  const row = region.rows.get(entityId);
  if (isCollectedAnywhere(final, entityId)) return row ? describeVisible(row.state) : 'deleted';
  return row === undefined ? 'missing' : `${describeState(row.state)} stored as ${row.bytes}`;
}
