import { writeMessage, writeMessageWithoutBody } from '../../message/write-message.ts';
import { nothingFound, succeeded, type ManagementAction } from './management-response.ts';
import { readNumber, readText } from './read-body.ts';

/** Shows messages without taking them. */
export const peekMessage: ManagementAction = async (queue, body) => {
  const from = readNumber(body, 'from-sequence-number');
  const messagesMax = readNumber(body, 'message-count');
  const sessionId = readText(body, 'session-id');
  const fromSequenceNumber = Math.max(from, 0);
  const writeOne = body['omit-message-body'] === true ? writeMessageWithoutBody : writeMessage;
  const messages = await queue.peek({ fromSequenceNumber, messagesMax, sessionId });
  if (messages.length === 0) return nothingFound();
  return succeeded({ messages: messages.map((message) => ({ message: writeOne(message) })) });
};
