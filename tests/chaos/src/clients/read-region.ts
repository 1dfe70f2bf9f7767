import { setTimeout as delay } from 'node:timers/promises';
import type { RegionState, Seen } from '../history/operation.ts';
import { seenOf } from './read-seen.ts';

const PAGE_LIMIT = 200;
const PAGES_MAX = 20_000;
const REQUEST_MS_MAX = 30_000;
const READS_AT_ONCE = 16;
const TRIES_MAX = 10;
const RETRY_MS = 500;

/** Every customer that a region lists, by id. Rejects when it does not answer. */
export async function listRegion(url: string): Promise<Map<string, Seen>> {
  const found = new Map<string, Seen>();
  let cursor: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, text } = await get(`${url}/customers?limit=${PAGE_LIMIT}${next}`);
    if (status !== 200) throw new Error(`a list was answered with ${status}: ${text}`);
    const page = JSON.parse(text) as Page;
    for (const item of page.items) {
      const { customer, seen } = seenOf(item, undefined);
      found.set(customer, seen);
    }
    cursor = page.nextCursor;
    if (cursor === undefined) return found;
  }
  throw new Error(`the list of ${url} has more than ${PAGES_MAX} pages`);
}

interface Page {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly nextCursor?: string;
}

/** What a region shows of each customer that is listed or was ever heard of, read one by one. */
export async function readRegion(
  region: string,
  url: string,
  known: Iterable<string>,
): Promise<RegionState> {
  const startMs = performance.now();
  const listed = await listRegion(url);
  const waiting = [...new Set([...known, ...listed.keys()])];
  const customers = new Map<string, Seen>();
  const readOn = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      customers.set(next, await readCustomer(`${url}/customers/${next}`));
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, readOn));
  return { region, startMs, customers };
}

async function readCustomer(url: string): Promise<Seen> {
  for (let tries = 1; ; tries += 1) {
    const { status, text, etag } = await get(url);
    if (status === 404) return { kind: 'absent' };
    if (status === 200) {
      return seenOf(JSON.parse(text) as Readonly<Record<string, unknown>>, etag).seen;
    }
    if (tries === TRIES_MAX) throw new Error(`${url} was answered with ${status}: ${text}`);
    await delay(RETRY_MS);
  }
}

async function get(
  url: string,
): Promise<{ readonly status: number; readonly text: string; readonly etag?: string | undefined }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  const etag = response.headers.get('etag') ?? undefined;
  return { status: response.status, text: await response.text(), etag };
}
