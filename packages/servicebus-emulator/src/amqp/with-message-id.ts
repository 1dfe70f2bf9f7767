import { randomUUID } from 'node:crypto';
import { ensureMessageId } from '../message/ensure-message-id.ts';
import type { IncomingMessage } from '../message/read-message.ts';

const createMessageId = (): string => randomUUID().replaceAll('-', '');

/** The message with an id of its own or a new one. */
export function withMessageId(message: IncomingMessage): IncomingMessage {
  return { ...message, payload: ensureMessageId(message.payload, createMessageId) };
}
