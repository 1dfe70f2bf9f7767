import type { EventContext, Message, Receiver, Sender } from 'rhea';
import type { Namespace } from '../namespace.ts';
import type { Queue } from '../queue/queue.ts';
import { settleDelivery } from './rhea-internals.ts';

/** What a link is attached to. The path is the entity's, as the client wrote it. */
export type Address =
  | { readonly node: 'claims' }
  | { readonly node: 'management'; readonly path: string }
  | { readonly node: 'queue'; readonly path: string };

const MANAGEMENT_SUFFIX = '/$management';
const DEAD_LETTER_SUFFIX = '/$deadletterqueue';
const URL_PREFIX = /^[a-z]+:\/\/[^/]*/i;

const endsWith = (text: string, suffix: string) => text.toLowerCase().endsWith(suffix);

/** Reads a link address, with or without scheme and host. */
export function parseAddress(address: string): Address {
  const path = address.replace(URL_PREFIX, '').replace(/^\/+|\/+$/g, '');
  if (path === '$cbs') return { node: 'claims' };
  if (endsWith(path, MANAGEMENT_SUFFIX)) {
    return { node: 'management', path: path.slice(0, -MANAGEMENT_SUFFIX.length) };
  }
  return { node: 'queue', path };
}

/** Returns the queue or dead-letter sub-queue of the path. */
export function findQueue(namespace: Namespace, path: string): Queue | undefined {
  if (!endsWith(path, DEAD_LETTER_SUFFIX)) return namespace.find(path)?.main;
  return namespace.find(path.slice(0, -DEAD_LETTER_SUFFIX.length))?.deadLetters;
}

export function isDeadLetterPath(path: string): boolean {
  return endsWith(path, DEAD_LETTER_SUFFIX);
}

/** Request and response over a pair of links, as $cbs and $management work. */
export interface AmqpRequest {
  readonly operation: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

export interface AmqpResponse {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/**
 * Where the responses of one connection go: by the address that the client gave its link, or to the link
 * that is attached to the same node. Clients made on the C library name no address at all.
 */
export interface ReplyLinks {
  add(sender: Sender): void;
  remove(sender: Sender): void;
  /** Returns the link of that address, or without one the link from the node, of the same session first. */
  find(replyTo: unknown, request: Receiver): Sender | undefined;
}

/** A node has one name, however the client writes it. */
function nodeOf(address: unknown): string {
  return typeof address === 'string' ? JSON.stringify(parseAddress(address.toLowerCase())) : '';
}

export function createReplyLinks(): ReplyLinks {
  const links = new Map<string, Sender>();
  const open = new Set<Sender>();
  const namesOf = (sender: Sender) =>
    [sender.target?.address, sender.name].filter((name) => typeof name === 'string');
  return {
    add(sender) {
      sender.set_source(sender.source);
      sender.set_target(sender.target ?? {});
      open.add(sender);
      for (const name of namesOf(sender)) links.set(name, sender);
      // The peer settles responses on its own; rhea keeps them until both sides have settled.
      sender.on('settled', ({ delivery }: EventContext) => delivery?.update(true));
    },
    remove(sender) {
      open.delete(sender);
      for (const name of namesOf(sender)) if (links.get(name) === sender) links.delete(name);
    },
    find(replyTo, request) {
      if (typeof replyTo === 'string' && replyTo !== '') return links.get(replyTo);
      const node = nodeOf(request.target?.address);
      const candidates = [...open].filter(({ source }) => nodeOf(source?.address) === node);
      return candidates.find(({ session }) => session === request.session) ?? candidates.at(-1);
    },
  };
}

const REQUEST_CREDIT = 1_000;

export interface RequestNodeOptions {
  readonly replies: ReplyLinks;
  readonly handle: (request: AmqpRequest) => Promise<AmqpResponse>;
  readonly onFailure: (error: unknown) => void;
}

function toRequest(message: Message): AmqpRequest {
  const properties = (message['application_properties'] ?? {}) as Record<string, unknown>;
  const operation = properties['operation'];
  return {
    operation: typeof operation === 'string' ? operation : '',
    properties,
    body: message['body'],
  };
}

/** Answers the requests that arrive on the link, each through the reply link that it names. */
export function openRequestNode(receiver: Receiver, options: RequestNodeOptions): void {
  const answer = async (message: Message): Promise<void> => {
    const response = await options.handle(toRequest(message));
    const link = options.replies.find(message['reply_to'], receiver);
    if (link === undefined || !link.is_open()) return;
    link.send({
      correlation_id: message['message_id'],
      application_properties: response.properties,
      body: response.body ?? null,
    } as unknown as Message);
  };
  receiver.set_target(receiver.target);
  receiver.set_source(receiver.source ?? { address: '' });
  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (!receiver.is_open()) return;
    if (delivery !== undefined) settleDelivery(delivery);
    receiver.add_credit(1);
    if (message !== undefined) void answer(message).catch(options.onFailure);
  });
  receiver.add_credit(REQUEST_CREDIT);
}
