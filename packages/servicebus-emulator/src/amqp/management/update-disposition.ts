import type { Settlement } from '../../queue/actions/settle.ts';
import { lockLost, notAllowed, sessionLockLost } from '../conditions.ts';
import {
  InvalidRequest,
  refused,
  succeeded,
  type ManagementAction,
} from './management-response.ts';
import { readLockTokens, readMap, readText } from './read-body.ts';

function readSettlement(body: Readonly<Record<string, unknown>>): Settlement {
  const properties = readMap(body, 'properties-to-modify') ?? {};
  const status = readText(body, 'disposition-status') ?? '';
  switch (status) {
    case 'completed':
      return { kind: 'complete' };
    case 'abandoned':
      return { kind: 'abandon', properties };
    case 'defered':
      return { kind: 'defer', properties };
    case 'suspended':
      return {
        kind: 'dead-letter',
        reason: readText(body, 'deadletter-reason'),
        description: readText(body, 'deadletter-description'),
        properties,
      };
    default:
      throw new InvalidRequest(`'disposition-status' has the unknown value '${status}'`);
  }
}

/** Settles messages whose link is gone, or that were received by sequence number. */
export const updateDisposition: ManagementAction = async (queue, body) => {
  const settlement = readSettlement(body);
  const tokens = readLockTokens(body);
  const outcomes = await Promise.all(tokens.map((token) => queue.settle(token, settlement)));
  if (outcomes.includes('lock-lost')) return refused(410, lockLost());
  if (outcomes.includes('session-lock-lost')) return refused(410, sessionLockLost());
  if (outcomes.includes('not-allowed')) {
    return refused(400, notAllowed('A dead letter cannot be dead-lettered again.'));
  }
  return succeeded();
};
