import { assertNever } from '../../assert-never.ts';
import type { Faults } from '../../faults.ts';
import { withMessageId } from '../../message/edit-message.ts';
import {
  type IncomingMessage,
  readMessage,
  writeMessage,
  writeMessageWithoutBody,
} from '../../message/message-codec.ts';
import { DecodeError, reorderLockToken } from '../../message/sections.ts';
import type { Settlement } from '../../queue/actions/settle.ts';
import { DELETE_BATCH_MAX } from '../../queue/actions/sweep-expired.ts';
import type { MessageLock } from '../../queue/lock-table.ts';
import type { Queue } from '../../queue/queue.ts';
import type { QueueSessions } from '../../queue/sessions/queue-sessions.ts';
import {
  askedFor,
  internalError,
  lockLost,
  messageNotFound,
  messageTooLarge,
  notAllowed,
  notImplemented,
  sendRefusal,
  sessionLockLost,
} from '../conditions.ts';
import { MESSAGE_BYTES_MAX, type QueueUse, refusalOfUse } from '../incoming-link.ts';
import type { AmqpRequest, AmqpResponse } from '../request-node.ts';
import { types } from '../rhea-internals.ts';
import {
  InvalidRequest,
  type ManagementAction,
  nothingFound,
  readLockTokens,
  readMap,
  readNumber,
  readNumbers,
  readText,
  refused,
  succeeded,
} from './management-message.ts';

/** Deletes messages that were enqueued before a time, oldest first, without delivering them. */
const batchDeleteMessages: ManagementAction = async (queue, body) => {
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

/** Takes scheduled messages back. */
const cancelScheduledMessage: ManagementAction = async (queue, body) => {
  const outcome = await queue.cancelScheduled(readNumbers(body, 'sequence-numbers'));
  return outcome.kind === 'cancelled'
    ? succeeded()
    : refused(404, messageNotFound(outcome.sequenceNumber));
};

/** Shows messages without taking them. */
const peekMessage: ManagementAction = async (queue, body) => {
  const from = readNumber(body, 'from-sequence-number');
  const messagesMax = readNumber(body, 'message-count');
  const sessionId = readText(body, 'session-id');
  const fromSequenceNumber = Math.max(from, 0);
  const writeOne = body['omit-message-body'] === true ? writeMessageWithoutBody : writeMessage;
  const messages = await queue.peek({ fromSequenceNumber, messagesMax, sessionId });
  if (messages.length === 0) return nothingFound();
  return succeeded({ messages: messages.map((message) => ({ message: writeOne(message) })) });
};

const RECEIVE_AND_DELETE = 0;

function lockedEntry({ message, token, expiresAtMs }: MessageLock) {
  return {
    message: writeMessage(message, { expiresAtMs, token }),
    'lock-token': types.wrap_uuid(reorderLockToken(token)),
  };
}

/** Receives deferred messages, which are delivered in no other way. */
const receiveBySequenceNumber: ManagementAction = async (queue, body) => {
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

const TIMESTAMP = 0x83;

/** Starts the lock duration of each message anew. */
const renewLock: ManagementAction = async (queue, body) => {
  const expirations = readLockTokens(body).map((token) => queue.renewLock(token));
  if (expirations.some((expiresAtMs) => expiresAtMs === undefined)) return refused(410, lockLost());
  return succeeded({ expirations: types.wrap_array(expirations, TIMESTAMP, undefined) });
};

const LONG = 0x81;

function readEncoded(entry: unknown): Buffer {
  const encoded = (entry as { message?: unknown } | null)?.message;
  if (!Buffer.isBuffer(encoded)) throw new InvalidRequest("'messages' must hold encoded messages");
  return encoded;
}

function decode(encoded: Buffer): IncomingMessage {
  try {
    return withMessageId(readMessage(encoded));
  } catch (error) {
    if (error instanceof DecodeError) throw new InvalidRequest(error.message, { cause: error });
    throw error;
  }
}

/** Sends messages that become active later; answers with their sequence numbers. */
const scheduleMessage: ManagementAction = async (queue, body) => {
  const entries = body['messages'];
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new InvalidRequest("'messages' must be an array with at least one element");
  }
  const encoded = entries.map(readEncoded);
  const sizeBytes = encoded.reduce((sum, { length }) => sum + length, 0);
  if (sizeBytes > MESSAGE_BYTES_MAX) {
    return refused(403, messageTooLarge(sizeBytes, MESSAGE_BYTES_MAX));
  }
  const outcome = await queue.send(encoded.map(decode));
  if (outcome.kind !== 'accepted') {
    const isFull = outcome.kind === 'quota-exceeded';
    return refused(isFull ? 403 : 400, sendRefusal(queue.name, outcome));
  }
  const numbers = types.wrap_array([...outcome.sequenceNumbers], LONG, undefined);
  return succeeded({ 'sequence-numbers': numbers });
};

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
const updateDisposition: ManagementAction = async (queue, body) => {
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

const renewSessionLock: ManagementAction = async (queue, body) => {
  const expiresAtMs = sessionsOf(queue).renew(readSessionId(body));
  if (expiresAtMs === undefined) return refused(410, sessionLockLost());
  return succeeded({ expiration: types.wrap_timestamp(expiresAtMs) });
};

const getSessionState: ManagementAction = async (queue, body) => {
  const found = await sessionsOf(queue).getState(readSessionId(body));
  if (found === undefined) return refused(410, sessionLockLost());
  const { state } = found;
  return succeeded({ 'session-state': state === undefined ? null : types.wrap_binary(state) });
};

/** A null state forgets it. */
const setSessionState: ManagementAction = async (queue, body) => {
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
const getMessageSessions: ManagementAction = async (queue, body) => {
  const skip = Math.max(readNumber(body, 'skip'), 0);
  const after = body['last-updated-time'];
  const afterMs = after instanceof Date ? after.getTime() : END_OF_TIME_MS;
  const sessions = sessionsOf(queue);
  const ids = afterMs >= END_OF_TIME_MS ? sessions.ids() : await sessions.idsUpdatedAfter(afterMs);
  const page = ids.slice(skip, skip + Math.max(readNumber(body, 'top'), 0));
  if (page.length === 0) return nothingFound();
  return succeeded({ skip: types.wrap_int(skip + page.length), 'sessions-ids': page });
};

const ACTIONS: ReadonlyMap<string, ManagementAction> = new Map([
  ['com.microsoft:peek-message', peekMessage],
  ['com.microsoft:receive-by-sequence-number', receiveBySequenceNumber],
  ['com.microsoft:renew-lock', renewLock],
  ['com.microsoft:update-disposition', updateDisposition],
  ['com.microsoft:schedule-message', scheduleMessage],
  ['com.microsoft:cancel-scheduled-message', cancelScheduledMessage],
  ['com.microsoft:batch-delete-messages', batchDeleteMessages],
  ['com.microsoft:renew-session-lock', renewSessionLock],
  ['com.microsoft:get-session-state', getSessionState],
  ['com.microsoft:set-session-state', setSessionState],
  ['com.microsoft:get-message-sessions', getMessageSessions],
]);

export interface ManagementOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  readonly onFailure: (error: unknown) => void;
}

/** The operations that a queue which is disabled by half does not carry out. */
const USES: ReadonlyMap<string, QueueUse> = new Map([
  ['com.microsoft:schedule-message', 'send'],
  ['com.microsoft:receive-by-sequence-number', 'receive'],
]);

const SETTLEMENT = 'com.microsoft:update-disposition';

/** The fault that is due for the request, after having been held for as long as a test wants. */
async function takeFault(
  { queue, faults }: ManagementOptions,
  operation: string,
): Promise<AmqpResponse | undefined> {
  const kind = operation === SETTLEMENT ? 'settle' : 'manage';
  const held = faults.held(queue.name, kind);
  if (held !== undefined) await held;
  const condition = faults.takeFailure(queue.name, kind);
  return condition === undefined ? undefined : refused(500, askedFor(condition));
}

/** Carries out one request to a queue's $management node. Never rejects. */
export async function handleManagementRequest(
  options: ManagementOptions,
  { operation, body }: AmqpRequest,
): Promise<AmqpResponse> {
  const { queue, onFailure } = options;
  const fault = await takeFault(options, operation);
  if (fault !== undefined) return fault;
  const disabled = refusalOfUse(queue, USES.get(operation) ?? 'manage');
  if (disabled !== undefined) return refused(400, disabled);
  const action = ACTIONS.get(operation);
  if (action === undefined) {
    const description = `The emulator does not know the operation '${operation}'.`;
    return refused(501, notImplemented(description));
  }
  try {
    return await action(queue, (body ?? {}) as Readonly<Record<string, unknown>>);
  } catch (error) {
    if (error instanceof InvalidRequest) {
      return refused(400, {
        condition: 'com.microsoft:argument-error',
        description: error.message,
      });
    }
    onFailure(error);
    return refused(500, internalError());
  }
}
