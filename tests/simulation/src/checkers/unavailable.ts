import { TRANSACTION_REFUSED } from '../clients/perform-operation.ts';
import { TIMED_OUT } from '../clients/run-client.ts';
import { wasDamaged } from '../faults/damage-rows.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { FinalChecker } from './checker.ts';

/** What a write may be told although every service of its own region works. */
const OUTCOMES = new Set(['not-found', 'condition-failed', 'WRITE_CONTENDED', TRANSACTION_REFUSED]);

/**
 * After about nine seconds a write is given up: a machine that hardly works may take longer for a call. What came to a
 * process that stood still is given up with the call that it shares in, which may have been made before it came.
 */
const GIVEN_UP_MS_MIN = 8_400;

/** What the table says of a row that it never takes. */
const NO_SUCH_ROW = 'TABLE_REQUEST_INVALID';

/**
 * I6: while a region's own table works its writes succeed, and are answered, whatever becomes of the
 * others; and no write is refused for the row of another, whatever becomes of the table.
 */
export const unavailable: FinalChecker = {
  name: 'unavailable',
  check: ({ history, world }) =>
    history.operations.flatMap((operation) => {
      const { id, kind, region, entityIds, outcome, startMs, endMs } = operation;
      const { wasPaused, cameInPause } = operation;
      const code = outcome.kind === 'refused' ? outcome.code : undefined;
      const { failures } = world.regionNamed(region).account;
      const isOfRow = entityIds.some((entityId) => failures.hasRefused(entityId));
      if (code === NO_SUCH_ROW && !isOfRow && kind !== 'oversize')
        return [`${kind} ${id} in ${region} was refused for the row of another`];
      if (operation.hadStoreFault || code === NO_SUCH_ROW) return [];
      const isGivenUp = cameInPause || (wasPaused && endMs - startMs >= GIVEN_UP_MS_MIN);
      const isOfDamage =
        code === 'ROW_MALFORMED' &&
        entityIds.some((entityId) => wasDamaged(world, region, gadgetKind.name, entityId));
      const isRefused = code !== undefined && !OUTCOMES.has(code) && !isOfDamage;
      const isUnknown = outcome.kind === 'unknown' && outcome.why.startsWith('TABLE');
      const isWrong =
        (isRefused && kind !== 'oversize' && !isGivenUp) ||
        (isUnknown && !isGivenUp) ||
        (outcome.kind === 'unknown' && outcome.why === TIMED_OUT && !wasPaused);
      return isWrong
        ? [`${kind} ${id} in ${region} failed for no reason: ${code ?? outcome.kind}`]
        : [];
    }),
};
