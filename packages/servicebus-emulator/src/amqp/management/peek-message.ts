import { writeMessage } from '../../message/write-message.ts';
import { nothingFound, succeeded, type ManagementAction } from './management-response.ts';
import { readNumber } from './read-body.ts';

/** Shows messages without taking them. */
export const peekMessage: ManagementAction = async (queue, body) => {
  const from = readNumber(body, 'from-sequence-number');
  const messages = await queue.peek(Math.max(from, 0), readNumber(body, 'message-count'));
  if (messages.length === 0) return nothingFound();
  return succeeded({ messages: messages.map((message) => ({ message: writeMessage(message) })) });
};
