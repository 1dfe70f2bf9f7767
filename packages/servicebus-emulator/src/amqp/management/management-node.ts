import type { Faults } from '../../faults.ts';
import type { Queue } from '../../queue/queue.ts';
import { askedFor, internalError, notImplemented } from '../conditions.ts';
import { type QueueUse, refusalOfUse } from '../incoming-link.ts';
import type { AmqpRequest, AmqpResponse } from '../request-node.ts';
import { InvalidRequest, type ManagementAction, refused } from './management-message.ts';
import {
  batchDeleteMessages,
  cancelScheduledMessage,
  getMessageSessions,
  getSessionState,
  peekMessage,
  receiveBySequenceNumber,
  renewLock,
  renewSessionLock,
  scheduleMessage,
  setSessionState,
  updateDisposition,
} from './operations.ts';

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
