import type { Namespace } from '../namespace.ts';
import type { Queue } from '../queue/queue.ts';

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

/** The queue or dead-letter sub-queue of the path. */
export function findQueue(namespace: Namespace, path: string): Queue | undefined {
  if (!endsWith(path, DEAD_LETTER_SUFFIX)) return namespace.find(path)?.main;
  return namespace.find(path.slice(0, -DEAD_LETTER_SUFFIX.length))?.deadLetters;
}

export function isDeadLetterPath(path: string): boolean {
  return endsWith(path, DEAD_LETTER_SUFFIX);
}
