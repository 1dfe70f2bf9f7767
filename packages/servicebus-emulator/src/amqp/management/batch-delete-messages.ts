import { types } from '../../message/amqp-types.ts';
import { DELETE_BATCH_MAX } from '../../queue/actions/delete-batch.ts';
import {
  InvalidRequest,
  nothingFound,
  succeeded,
  type ManagementAction,
} from './management-response.ts';
import { readNumber, readText } from './read-body.ts';

/** Deletes messages that were enqueued before a time, oldest first, without delivering them. */
export const batchDeleteMessages: ManagementAction = async (queue, body) => {
  const before = body['enqueued-time-utc'];
  const enqueuedBeforeMs = before instanceof Date ? before.getTime() : Number(before);
  if (!Number.isFinite(enqueuedBeforeMs)) {
    throw new InvalidRequest("'enqueued-time-utc' must be a timestamp");
  }
  const messagesMax = readNumber(body, 'message-count');
  if (!(messagesMax >= 1 && messagesMax <= DELETE_BATCH_MAX)) {
    throw new InvalidRequest(`'message-count' must be from 1 to ${DELETE_BATCH_MAX}`);
  }
  const sessionId = readText(body, 'session-id');
  if (queue.sessions !== undefined && sessionId === undefined) {
    throw new InvalidRequest("'session-id' must name the session whose messages are to be deleted");
  }
  const count = await queue.deleteBatch({ enqueuedBeforeMs, messagesMax, sessionId });
  return count === 0 ? nothingFound() : succeeded({ 'message-count': types.wrap_int(count) });
};
