import { setTimeout as delay } from 'node:timers/promises';
import { listRegion, readRegion } from '../clients/read-region.ts';
import { FIELDS, type RegionState, type Seen } from '../history/operation.ts';

export interface UntilEqualOptions {
  /** Addresses of the APIs, by region. */
  readonly urls: Readonly<Record<string, string>>;
  readonly known: Iterable<string>;
  readonly waitMsMax: number;
  readonly signal: AbortSignal;
}

export interface End {
  readonly regions: readonly RegionState[];
  readonly waitedMs: number;
}

const POLL_MS = 1_000;

/** Reads all regions once they list the same customers, or when they have not in time. */
export async function untilEqual(options: UntilEqualOptions): Promise<End> {
  const { urls, known, waitMsMax, signal } = options;
  const startedMs = performance.now();
  const deadlineMs = startedMs + waitMsMax;
  const ids = [...known];
  for (;;) {
    signal.throwIfAborted();
    const isOver = performance.now() >= deadlineMs;
    if (isOver || (await isEqual(urls))) {
      const regions = await Promise.all(
        Object.entries(urls).map(([region, url]) => readRegion(region, url, ids)),
      );
      const waitedMs = Math.round(performance.now() - startedMs);
      if (isOver || hasSameTags(regions)) return { regions, waitedMs };
    }
    await delay(POLL_MS);
  }
}

async function isEqual(urls: UntilEqualOptions['urls']): Promise<boolean> {
  const listings = await Promise.allSettled(Object.values(urls).map(listRegion));
  const texts = listings.map((listing) =>
    listing.status === 'rejected' ? undefined : describe(listing.value),
  );
  return texts[0] !== undefined && texts.every((text) => text === texts[0]);
}

/** Of one state every region makes the same entity tag; what differs only in it is still on its way. */
function hasSameTags(regions: readonly RegionState[]): boolean {
  const texts = regions.map(({ customers }) => describe(customers));
  return texts.every((text) => text === texts[0]);
}

function describe(customers: ReadonlyMap<string, Seen>): string {
  const lines = [...customers].flatMap(([customer, seen]) => {
    if (seen.kind === 'absent') return [];
    const values = FIELDS.map((field) => seen.values[field] ?? null);
    return [JSON.stringify([customer, seen.etag ?? null, ...values])];
  });
  return lines.toSorted().join('\n');
}
