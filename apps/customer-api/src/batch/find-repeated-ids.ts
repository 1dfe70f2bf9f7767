import type { BatchOperation } from '../schemas/batch.ts';
import type { Violation } from '../validation/violation.ts';
import { idOf } from './apply-batch.ts';

/** The operations of a batch on a customer that an earlier one names: which comes first, none says. */
export function findRepeatedIds(operations: readonly BatchOperation[]): readonly Violation[] {
  const seen = new Set<string>();
  return operations.flatMap((operation, index): Violation[] => {
    const id = idOf(operation);
    if (id === undefined) return [];
    if (!seen.has(id)) {
      seen.add(id);
      return [];
    }
    const [kind = ''] = Object.keys(operation);
    const field = `/operations/${index}/${kind}/customerId`;
    return [{ in: 'body', field, rule: 'unique', message: 'must not be named twice in a batch' }];
  });
}
