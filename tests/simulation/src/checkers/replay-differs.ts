import { isRawAlive, joinStates, type RawState, timeMsOf } from '../observe/raw-state.ts';
import { type FinalChecker, isCollectedAnywhere } from './checker.ts';
import { describeVisible } from './describe-state.ts';

/** I5: replaying the archive from empty gives what was true at the time asked for. */
export const replayDiffers: FinalChecker = {
  name: 'replay-differs',
  check: (final) =>
    final.regions.flatMap(({ name, replays }) =>
      replays.flatMap(({ beforeMs, rows }) =>
        [...final.ledger.truth.keys()].flatMap((entityId) => {
          if (isCollectedAnywhere(final, entityId)) return [];
          let should: RawState | undefined;
          for (const { stamp, state } of final.ledger.commitsOf(entityId)) {
            if (timeMsOf(stamp) < beforeMs) should = joinStates(should, state);
          }
          const row = rows.get(entityId)?.state;
          if (final.world.recoveries.forgotten.has(entityId)) should &&= erased(should);
          const [is, truth] = [describe(row), describe(should)];
          if (is === truth) return [];
          return [`${entityId}, replayed in ${name} to ${beforeMs}, is ${is}, should be ${truth}`];
        }),
      ),
    ),
};

function describe(state: RawState | undefined): string {
  return state !== undefined && isRawAlive(state) ? describeVisible(state) : 'deleted';
}

/** Of an entity that was forgotten the archive has the lives, and no values. */
function erased(state: RawState): RawState {
  const fields = [...state.fields].map(
    ([name, { stamp }]) => [name, { stamp, value: null }] as const,
  );
  return { ...state, fields: new Map(fields) };
}
