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
  // Clients take all three from the address of the next page, and fail where one is absent.
  const following = new URLSearchParams({
    ...(query.get('api-version') === null ? {} : { 'api-version': query.get('api-version') ?? '' }),
    $skip: String(end),
    $top: String(top),
  });
  const feed = writeFeed({
    id: address,
    title: 'Queues',
    updatedAtMs: nowMs,
    entries: page.map((entity) => toEntry(entity, baseUrl)),
    next: end < all.length ? `${address}?${following.toString()}` : undefined,
  });
  return atom(200, feed);
};

/** The emulator has no topics: none of them is a page of none, as a namespace without topics answers. */
export const listTopics: AdminAction = async ({ baseUrl, nowMs }) =>
  atom(
    200,
    writeFeed({
      id: `${baseUrl}/$Resources/Topics`,
      title: 'Topics',
      updatedAtMs: nowMs,
      entries: [],
      next: undefined,
    }),
  );
