import { DecodeError } from '../../message/sections.ts';
import { types } from '../../message/amqp-types.ts';
import { readMessage, type IncomingMessage } from '../../message/read-message.ts';
import { messageTooLarge, sendRefusal } from '../conditions.ts';
import { MESSAGE_BYTES_MAX } from '../incoming-link.ts';
import { withMessageId } from '../with-message-id.ts';
import {
  InvalidRequest,
  refused,
  succeeded,
  type ManagementAction,
} from './management-response.ts';

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
export const scheduleMessage: ManagementAction = async (queue, body) => {
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
