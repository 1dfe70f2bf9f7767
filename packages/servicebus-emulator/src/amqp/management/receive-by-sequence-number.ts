import { assertNever } from '../../assert-never.ts';
import { types } from '../../message/amqp-types.ts';
import { reorderLockToken } from '../../message/lock-token.ts';
import { writeMessage } from '../../message/write-message.ts';
import type { MessageLock } from '../../queue/lock-table.ts';
import { messageNotFound, sessionLockLost } from '../conditions.ts';
import { refused, succeeded, type ManagementAction } from './management-response.ts';
import { readNumber, readNumbers, readText } from './read-body.ts';

const RECEIVE_AND_DELETE = 0;

function lockedEntry({ message, token, expiresAtMs }: MessageLock) {
  return {
    message: writeMessage(message, { expiresAtMs, token }),
    'lock-token': types.wrap_uuid(reorderLockToken(token)),
  };
}

/** Receives deferred messages, which are delivered in no other way. */
export const receiveBySequenceNumber: ManagementAction = async (queue, body) => {
  const removes = readNumber(body, 'receiver-settle-mode') === RECEIVE_AND_DELETE;
  const mode = removes ? 'receive-and-delete' : 'peek-lock';
  const numbers = readNumbers(body, 'sequence-numbers');
  const sessionId = readText(body, 'session-id');
  const outcome = await queue.receiveDeferred({ numbers, mode, sessionId });
  switch (outcome.kind) {
    case 'not-found':
      return refused(404, messageNotFound(outcome.sequenceNumber));
    case 'session-lock-lost':
      return refused(410, sessionLockLost());
    case 'locked':
      return succeeded({ messages: outcome.locks.map(lockedEntry) });
    case 'removed':
      return succeeded({ messages: outcome.messages.map((m) => ({ message: writeMessage(m) })) });
    default:
      return assertNever(outcome);
  }
};
