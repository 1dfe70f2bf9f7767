import { describe } from 'vitest';
import { describeCommits } from './table-store-commits.ts';
import { type TableStoreHarness, useTableStore } from './table-store-harness.ts';
import { describeLimits } from './table-store-limits.ts';
import { describePredicates } from './table-store-predicates.ts';
import { describeQueries } from './table-store-queries.ts';
import { describeValues } from './table-store-values.ts';

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
  });
}
