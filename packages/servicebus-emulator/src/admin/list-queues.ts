import { atom, type AdminAction } from './admin-request.ts';
import { writeFeed } from './atom.ts';
import { toEntry } from './queue-description.ts';

const PAGE_MAX = 100;

function readCount(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** One page of the queues, in order of name, with the address of the next. */
export const listQueues: AdminAction = async ({ namespace, query, baseUrl, nowMs }) => {
  const skip = readCount(query, '$skip') ?? 0;
  const top = Math.min(readCount(query, '$top') ?? PAGE_MAX, PAGE_MAX);
  const all = namespace.list();
  const page = all.slice(skip, skip + top);
  const address = `${baseUrl}/$Resources/Queues`;
  const end = skip + page.length;
  const feed = writeFeed({
    id: address,
    title: 'Queues',
    updatedAtMs: nowMs,
    entries: page.map((entity) => toEntry(entity, baseUrl)),
    next: end < all.length ? `${address}?$skip=${end}&$top=${top}` : undefined,
  });
  return atom(200, feed);
};
