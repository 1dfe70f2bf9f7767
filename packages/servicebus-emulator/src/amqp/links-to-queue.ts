import type { Connection, Receiver, Sender } from 'rhea';
import type { Queue } from '../queue/queue.ts';
import { refusalOfUse, type QueueUse } from './disabled-queue.ts';
import type { AmqpCondition } from './rhea-internals.ts';

interface LinkToQueue {
  readonly link: Sender | Receiver;
  readonly use: QueueUse;
}

const MANAGEMENT_SUFFIX = '/$management';

/** The links of a connection to a queue, its dead letters and its management node. */
function linksToQueue(connection: Connection, queueName: string): LinkToQueue[] {
  const name = queueName.toLowerCase();
  const found: LinkToQueue[] = [];
  const each = connection as unknown as {
    each_link(action: (link: Sender | Receiver) => void): void;
  };
  each.each_link((link) => {
    const address = link.is_receiver() ? link.target?.address : link.source?.address;
    const path = (address ?? '').replace(/^\/+/, '').toLowerCase();
    if (path !== name && !path.startsWith(`${name}/$`)) return;
    const use = link.is_receiver() ? 'send' : 'receive';
    found.push({ link, use: path.endsWith(MANAGEMENT_SUFFIX) ? 'manage' : use });
  });
  return found;
}

/** Closes all of those links. */
export function closeLinksTo(connection: Connection, queueName: string, why: AmqpCondition): void {
  for (const { link } of linksToQueue(connection, queueName)) link.close(why);
}

/** Closes those that the queue's status does not allow any longer. */
export function closeDisabledLinks(connection: Connection, queue: Queue): void {
  for (const { link, use } of linksToQueue(connection, queue.name)) {
    const why = refusalOfUse(queue, use);
    if (why !== undefined) link.close(why);
  }
}
