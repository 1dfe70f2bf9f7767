import { messageNotFound } from '../conditions.ts';
import { refused, succeeded, type ManagementAction } from './management-response.ts';
import { readNumbers } from './read-body.ts';

/** Takes scheduled messages back. */
export const cancelScheduledMessage: ManagementAction = async (queue, body) => {
  const outcome = await queue.cancelScheduled(readNumbers(body, 'sequence-numbers'));
  return outcome.kind === 'cancelled'
    ? succeeded()
    : refused(404, messageNotFound(outcome.sequenceNumber));
};
