import type { Connection, Receiver, Sender, Session } from 'rhea';
import type { Queue } from '../queue/queue.ts';
import { type QueueUse, refusalOfUse } from './incoming-link.ts';
import { type AmqpCondition, ProtocolError } from './rhea-internals.ts';

/**
 * Bounds how many sessions a connection has and how many links a session: rhea looks at all of them
 * for every frame that it writes, so that one peer with thousands could hold up every other. The
 * limits are announced, and a peer that goes beyond them loses its connection (AMQP 1.0, 2.7.1, 2.7.2).
 */

/** The greatest number of a channel, as the service announces it. */
export const CHANNEL_MAX = 4_999;
/** The greatest handle of a link, as the service announces it. */
const HANDLE_MAX = 255;

interface AttachFrame {
  readonly performative: { readonly handle: number };
}

interface SessionInternals {
  readonly local: { readonly begin: { handle_max: number } };
  on_attach(frame: AttachFrame): void;
}

interface ConnectionInternals {
  readonly local_channel_map: Readonly<Record<string, unknown>>;
}

/** Call it when the session opens. */
export function boundLinks(session: Session): void {
  const internals = session as unknown as SessionInternals;
  const original = internals.on_attach.bind(session);
  internals.local.begin.handle_max = HANDLE_MAX;
  internals.on_attach = (frame) => {
    const { handle } = frame.performative;
    if (handle > HANDLE_MAX) {
      throw new ProtocolError(`The handle ${handle} exceeds ${HANDLE_MAX}: close links first`);
    }
    original(frame);
  };
}

/** Call it when a session has opened. */
export function boundSessions(connection: Connection): void {
  const { local_channel_map } = connection as unknown as ConnectionInternals;
  if (!(CHANNEL_MAX + 1 in local_channel_map)) return;
  throw new ProtocolError(`A connection has at most ${CHANNEL_MAX + 1} sessions: end some first`);
}

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
