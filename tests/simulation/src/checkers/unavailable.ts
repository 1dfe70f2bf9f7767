import { TIMED_OUT } from '../clients/run-client.ts';
import type { FinalChecker } from './checker.ts';

/** What a write may be told although every service of its own region works. */
const OUTCOMES = new Set(['not-found', 'condition-failed', 'WRITE_CONTENDED']);

/**
 * I6: while a region's own table works its writes succeed, and are answered, whatever becomes of the
 * others.
 */
export const unavailable: FinalChecker = {
  name: 'unavailable',
  check: ({ history }) =>
    history.operations
      .filter(({ hadStoreFault }) => !hadStoreFault)
      .flatMap(({ id, kind, region, outcome, wasPaused }) => {
        const isWrong =
          (outcome.kind === 'refused' && !OUTCOMES.has(outcome.code) && kind !== 'oversize') ||
          (outcome.kind === 'unknown' && outcome.why.startsWith('TABLE')) ||
          (outcome.kind === 'unknown' && outcome.why === TIMED_OUT && !wasPaused);
        const why = outcome.kind === 'refused' ? outcome.code : outcome.kind;
        return isWrong ? [`${kind} ${id} in ${region} failed for no reason: ${why}`] : [];
      }),
};
