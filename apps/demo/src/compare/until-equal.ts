import { setTimeout as delay } from 'node:timers/promises';
import type { CustomerClient } from '../api/customer-client.ts';
import {
  combineComparisons,
  compareCustomers,
  type Comparison,
  isUnchanged,
  type WrittenCustomers,
} from './compare-customers.ts';
import { readAllCustomers } from './read-all-customers.ts';

/** Nothing more has arrived for so long: it will not. */
const STALLED_MS_MAX = 60_000;
const WAIT_MS_MAX = 15 * 60_000;
const POLL_INTERVAL_MS_MIN = 500;

export interface UntilEqualOptions {
  readonly written: WrittenCustomers;
  /** One for each region that must have them all. */
  readonly clients: readonly CustomerClient[];
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
  clients: readonly CustomerClient[],
): Promise<Comparison> {
  const comparisons: Comparison[] = [];
  for (const client of clients) {
    comparisons.push(compareCustomers(written, await readAllCustomers(client)));
  }
  return combineComparisons(written, comparisons);
}
