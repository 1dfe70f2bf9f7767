import type { FinalChecker } from './checker.ts';

/** What a write may be told although every service of its own region works. */
const OUTCOMES = new Set([
  'not-found',
  'condition-failed',
  'WRITE_CONTENDED',
  'TABLE_LIMIT_EXCEEDED',
]);

/** I6: while a region's own table works its writes succeed, whatever becomes of the others. */
export const unavailable: FinalChecker = {
  name: 'unavailable',
  check: ({ history }) =>
    history.operations
      .filter(({ hadStoreFault }) => !hadStoreFault)
      .flatMap(({ id, kind, region, outcome }) => {
        const isWrong =
          (outcome.kind === 'refused' && !OUTCOMES.has(outcome.code)) ||
          (outcome.kind === 'unknown' && outcome.why.startsWith('TABLE'));
        const why = outcome.kind === 'refused' ? outcome.code : outcome.kind;
        return isWrong ? [`${kind} ${id} in ${region} failed for no reason: ${why}`] : [];
      }),
};
