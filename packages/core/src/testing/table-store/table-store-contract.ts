import { describe, expect, test } from 'vitest';
import { describeCommits } from './table-store-commits.ts';
import { type TableStoreHarness, useTableStore } from './table-store-harness.ts';
import { describeLimits } from './table-store-limits.ts';
import { describePredicates } from './table-store-predicates.ts';
import { describeQueries } from './table-store-queries.ts';
import { describeValues } from './table-store-values.ts';

/** The clocks of the store and of the test are of one machine; a second is cut off, and answers take time. */
const CLOCKS_APART_MS_MAX = 30_000;

/** Tests every promise of the `TableStore` port. One store serves the suite; it must start empty. */
export function describeTableStoreContract(
  name: string,
  createHarness: () => Promise<TableStoreHarness>,
): void {
  describe(`table store contract: ${name}`, () => {
    const it = useTableStore(createHarness, 'Contract');
    describeCommits(it);
    describeValues(it);
    describeQueries(it);
    describePredicates(it);
    describeLimits(it);

    test('it tells the time', async () => {
      const timeMs = (await it.store.timeMs()) ?? 0;
      expect(Math.abs(timeMs - Date.now())).toBeLessThan(CLOCKS_APART_MS_MAX);
    });
  });
}
