import type { QueueStatus } from '../queue/queue-properties.ts';
import type { Queue } from '../queue/queue.ts';
import { entityDisabled, sendDisabled } from './conditions.ts';
import type { AmqpCondition } from './rhea-internals.ts';

/** What somebody wants of a queue that may be disabled. */
export type QueueUse = 'send' | 'receive' | 'manage';

const STOPPED: Readonly<Record<QueueStatus, readonly QueueUse[]>> = {
  Active: [],
  Disabled: ['send', 'receive', 'manage'],
  SendDisabled: ['send'],
  ReceiveDisabled: ['receive'],
};

/** Why the queue's status forbids the use, or undefined when it does not. */
export function refusalOfUse(queue: Queue, use: QueueUse): AmqpCondition | undefined {
  const { status } = queue.properties();
  if (!STOPPED[status].includes(use)) return undefined;
  return status === 'SendDisabled' ? sendDisabled(queue.name) : entityDisabled(queue.name);
}
