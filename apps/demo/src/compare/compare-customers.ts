import { setTimeout as delay } from 'node:timers/promises';
import type { CustomerClient, CustomerPage } from '../api/customer-client.ts';
import type { DemoFields } from '../customers/make-customers.ts';

export interface Comparison {
  /** How many are there with every field as it was written. */
  readonly equalCount: number;
  /** Ids of those that are not there. */
  readonly missing: ReadonlySet<string>;
  /** The fields that are not as they were written, by id. */
  readonly different: ReadonlyMap<string, readonly string[]>;
  /** Ids of those that nobody wrote. */
  readonly extra: ReadonlySet<string>;
}

export type CustomersById = ReadonlyMap<string, DemoFields>;

export interface WrittenCustomers {
  /** Were acknowledged by the API. */
  readonly acknowledged: CustomersById;
  /** Sent without an acknowledgement: they may be there and need not be. */
  readonly unanswered: ReadonlySet<string>;
}

export function compareCustomers(written: WrittenCustomers, found: CustomersById): Comparison {
  const missing = new Set<string>();
  const different = new Map<string, readonly string[]>();
  for (const [id, fields] of written.acknowledged) {
    const stored = found.get(id);
    if (stored === undefined) {
      missing.add(id);
      continue;
    }
    const names = new Set([...Object.keys(fields), ...Object.keys(stored)]);
    const unlike = [...names].filter((name) => stored[name] !== fields[name]);
    if (unlike.length > 0) different.set(id, unlike);
  }
  const extra = new Set(
    [...found.keys()].filter((id) => !written.acknowledged.has(id) && !written.unanswered.has(id)),
  );
  const equalCount = written.acknowledged.size - missing.size - different.size;
  return { equalCount, missing, different, extra };
}

/** One for all regions: a customer counts as equal only where it is equal in every one. */
export function combineComparisons(
  written: WrittenCustomers,
  comparisons: readonly Comparison[],
): Comparison {
  const missing = new Set(comparisons.flatMap((each) => [...each.missing]));
  const different = new Map(
    comparisons.flatMap((each) => [...each.different].filter(([id]) => !missing.has(id))),
  );
  const extra = new Set(comparisons.flatMap((each) => [...each.extra]));
  const equalCount = written.acknowledged.size - missing.size - different.size;
  return { equalCount, missing, different, extra };
}

export function isUnchanged({ missing, different, extra }: Comparison): boolean {
  return missing.size === 0 && different.size === 0 && extra.size === 0;
}

/** Reads what is written, customers or transactions of orders. */
type DemoReader = Pick<CustomerClient<DemoFields>, 'list'>;

const PAGES_MAX = 100_000;
const TRIES_MAX = 10;
const RETRY_DELAY_MS = 500;

/** Reads the whole list of a region, page by page. Throws when a page is not answered. */
async function readAllCustomers(client: DemoReader): Promise<CustomersById> {
  const found = new Map<string, DemoFields>();
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, nextCursor } = await readPage(client, cursor);
    for (const { customerId, fields } of items) found.set(customerId, fields);
    if (nextCursor === undefined) return found;
    cursor = nextCursor;
  }
  throw new Error(`The list of customers has more than ${PAGES_MAX} pages.`);
}

async function readPage(
  client: DemoReader,
  cursor: string | undefined,
): Promise<CustomerPage<DemoFields>> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.list(cursor);
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await delay(RETRY_DELAY_MS);
    }
  }
}

/** Nothing more has arrived for so long: it will not. */
const STALLED_MS_MAX = 60_000;
const WAIT_MS_MAX = 15 * 60_000;
const POLL_INTERVAL_MS_MIN = 500;

interface UntilEqualOptions {
  readonly written: WrittenCustomers;
  /** One for each region that must have them all. */
  readonly clients: readonly DemoReader[];
  /** Told how many are equal in all of them. */
  readonly onProgress: (equalCount: number) => void;
}

/**
 * Reads the regions whole, again and again, until they have every customer as it was written, and
 * nothing else; or until nothing has changed for a minute. Resolves to the last comparison.
 */
export async function untilEqual(options: UntilEqualOptions): Promise<Comparison> {
  const { written, clients, onProgress } = options;
  const startedMs = performance.now();
  let progressedMs = startedMs;
  let bestCount = -1;
  for (;;) {
    const readMs = performance.now();
    const comparison = await compareRegions(written, clients);
    onProgress(comparison.equalCount);
    const nowMs = performance.now();
    if (comparison.equalCount > bestCount) progressedMs = nowMs;
    bestCount = Math.max(bestCount, comparison.equalCount);
    const isOver = nowMs - progressedMs > STALLED_MS_MAX || nowMs - startedMs > WAIT_MS_MAX;
    if (isUnchanged(comparison) || isOver) return comparison;
    // Reading all is work for the very processes that are waited for.
    await delay(Math.max(POLL_INTERVAL_MS_MIN, nowMs - readMs));
  }
}

async function compareRegions(
  written: WrittenCustomers,
  clients: readonly DemoReader[],
): Promise<Comparison> {
  const comparisons: Comparison[] = [];
  for (const client of clients) {
    comparisons.push(compareCustomers(written, await readAllCustomers(client)));
  }
  return combineComparisons(written, comparisons);
}
