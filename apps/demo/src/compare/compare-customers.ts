import {
  CUSTOMER_FIELDS,
  type CustomerField,
  type CustomerFields,
} from '../customers/demo-customer.ts';

export interface Comparison {
  /** How many are there with every field as it was written. */
  readonly equalCount: number;
  /** Ids of those that are not there. */
  readonly missing: ReadonlySet<string>;
  /** The fields that are not as they were written, by id. */
  readonly different: ReadonlyMap<string, readonly CustomerField[]>;
  /** Ids of those that nobody wrote. */
  readonly extra: ReadonlySet<string>;
}

export type CustomersById = ReadonlyMap<string, CustomerFields>;

export interface WrittenCustomers {
  /** Acknowledged by the API. */
  readonly acknowledged: CustomersById;
  /** Sent without an acknowledgement: they may be there and need not be. */
  readonly unanswered: ReadonlySet<string>;
}

export function compareCustomers(written: WrittenCustomers, found: CustomersById): Comparison {
  const missing = new Set<string>();
  const different = new Map<string, readonly CustomerField[]>();
  for (const [id, fields] of written.acknowledged) {
    const stored = found.get(id);
    if (stored === undefined) {
      missing.add(id);
      continue;
    }
    const unlike = CUSTOMER_FIELDS.filter((field) => stored[field] !== fields[field]);
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
