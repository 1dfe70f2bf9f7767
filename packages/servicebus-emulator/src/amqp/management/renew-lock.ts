import { types } from '../../message/amqp-types.ts';
import { lockLost } from '../conditions.ts';
import { refused, succeeded, type ManagementAction } from './management-response.ts';
import { readLockTokens } from './read-body.ts';

const TIMESTAMP = 0x83;

/** Starts the lock duration of each message anew. */
export const renewLock: ManagementAction = async (queue, body) => {
  const expirations = readLockTokens(body).map((token) => queue.renewLock(token));
  if (expirations.some((expiresAtMs) => expiresAtMs === undefined)) return refused(410, lockLost());
  return succeeded({ expirations: types.wrap_array(expirations, TIMESTAMP, undefined) });
};
