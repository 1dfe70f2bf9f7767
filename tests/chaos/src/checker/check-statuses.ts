import { type Action, FRONT, type Operation } from '../history/operation.ts';
import type { Finding } from './finding.ts';

/**
 * What the OpenAPI document declares for well-formed requests without tokens, copied by hand. 500
 * is declared too, for what must not happen. While a region is down 503 is a good answer.
 */
const EXPECTED: Readonly<Record<Action, readonly number[]>> = {
  put: [200, 201, 412, 503],
  patch: [200, 404, 412, 503],
  delete: [204, 404, 412, 503],
  create: [201, 409, 503],
  read: [200, 404, 503],
};

/** The stand-in says so itself when the region that it chose cannot be reached. */
const OF_THE_FRONT = [502, 504];

/** Answers with a status that the API does not declare, or that says that something is broken. */
export function checkStatuses(operations: readonly Operation[]): Finding[] {
  return operations.flatMap(({ id, action, via, status, note }): Finding[] => {
    if (status === undefined || EXPECTED[action].includes(status)) return [];
    if (via === FRONT && OF_THE_FRONT.includes(status)) return [];
    return [
      {
        verdict: 'unexpected',
        key: `status ${id}`,
        message: `${action} via ${via} was answered with ${status}: ${note ?? 'nothing more'}`,
        operations: [id],
      },
    ];
  });
}
