import { TIMED_OUT } from '../clients/run-client.ts';
import { wasDamaged } from '../faults/damage-rows.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { FinalChecker } from './checker.ts';

/** What a write may be told although every service of its own region works. */
const OUTCOMES = new Set(['not-found', 'condition-failed', 'WRITE_CONTENDED']);

/** After about nine seconds a write is given up: a machine that hardly works may take longer for a call. */
const GIVEN_UP_MS_MIN = 8_400;

/**
 * I6: while a region's own table works its writes succeed, and are answered, whatever becomes of the
 * others.
 */
export const unavailable: FinalChecker = {
  name: 'unavailable',
  check: ({ history, world }) =>
    history.operations
      .filter(({ hadStoreFault }) => !hadStoreFault)
      .flatMap(({ id, kind, region, entityId, outcome, wasPaused, startMs, endMs }) => {
        const isGivenUp = wasPaused && endMs - startMs >= GIVEN_UP_MS_MIN;
        const isOfDamage =
          outcome.kind === 'refused' &&
          outcome.code === 'ROW_MALFORMED' &&
          wasDamaged(world, region, gadgetKind.name, entityId);
        const isRefused = outcome.kind === 'refused' && !OUTCOMES.has(outcome.code) && !isOfDamage;
        const isUnknown = outcome.kind === 'unknown' && outcome.why.startsWith('TABLE');
        const isWrong =
          (isRefused && kind !== 'oversize' && !isGivenUp) ||
          (isUnknown && !isGivenUp) ||
          (outcome.kind === 'unknown' && outcome.why === TIMED_OUT && !wasPaused);
        const why = outcome.kind === 'refused' ? outcome.code : outcome.kind;
        return isWrong ? [`${kind} ${id} in ${region} failed for no reason: ${why}`] : [];
      }),
};
