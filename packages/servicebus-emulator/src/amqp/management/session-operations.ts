import { types } from '../../message/amqp-types.ts';
import type { Queue } from '../../queue/queue.ts';
import type { QueueSessions } from '../../queue/sessions/queue-sessions.ts';
import { messageTooLarge, sessionLockLost } from '../conditions.ts';
import { MESSAGE_BYTES_MAX } from '../incoming-link.ts';
import {
  InvalidRequest,
  type ManagementAction,
  nothingFound,
  readNumber,
  readText,
  refused,
  succeeded,
} from './management-message.ts';

/** The operations on sessions. All but the list need a session that somebody holds. */

function sessionsOf({ name, sessions }: Queue): QueueSessions {
  if (sessions === undefined) throw new InvalidRequest(`The queue '${name}' has no sessions`);
  return sessions;
}

function readSessionId(body: Readonly<Record<string, unknown>>): string {
  const sessionId = readText(body, 'session-id');
  if (sessionId === undefined) throw new InvalidRequest("'session-id' must be a string");
  return sessionId;
}

export const renewSessionLock: ManagementAction = async (queue, body) => {
  const expiresAtMs = sessionsOf(queue).renew(readSessionId(body));
  if (expiresAtMs === undefined) return refused(410, sessionLockLost());
  return succeeded({ expiration: types.wrap_timestamp(expiresAtMs) });
};

export const getSessionState: ManagementAction = async (queue, body) => {
  const found = await sessionsOf(queue).getState(readSessionId(body));
  if (found === undefined) return refused(410, sessionLockLost());
  const { state } = found;
  return succeeded({ 'session-state': state === undefined ? null : types.wrap_binary(state) });
};

/** A null state forgets it. */
export const setSessionState: ManagementAction = async (queue, body) => {
  const value = body['session-state'] ?? undefined;
  if (value !== undefined && !Buffer.isBuffer(value)) {
    throw new InvalidRequest("'session-state' must be binary or null");
  }
  if (value !== undefined && value.length > MESSAGE_BYTES_MAX) {
    return refused(403, messageTooLarge(value.length, MESSAGE_BYTES_MAX));
  }
  const isSet = await sessionsOf(queue).setState(readSessionId(body), value);
  return isSet ? succeeded() : refused(410, sessionLockLost());
};

/** The last moment that the service's times can name: asks for the sessions that have messages. */
const END_OF_TIME_MS = Date.parse('9999-12-31T23:59:59Z');

/**
 * The ids of the sessions whose state was set after a time, or, for the end of time, of those that
 * have messages or are held; a page at a time.
 */
export const getMessageSessions: ManagementAction = async (queue, body) => {
  const skip = Math.max(readNumber(body, 'skip'), 0);
  const after = body['last-updated-time'];
  const afterMs = after instanceof Date ? after.getTime() : END_OF_TIME_MS;
  const sessions = sessionsOf(queue);
  const ids = afterMs >= END_OF_TIME_MS ? sessions.ids() : await sessions.idsUpdatedAfter(afterMs);
  const page = ids.slice(skip, skip + Math.max(readNumber(body, 'top'), 0));
  if (page.length === 0) return nothingFound();
  return succeeded({ skip: types.wrap_int(skip + page.length), 'sessions-ids': page });
};
