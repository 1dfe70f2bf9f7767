import type { VersionVector } from '@tandem/core';
import type { WriteCondition } from '@tandem/storage';
import type {
  CreateOutcome,
  CustomerOutcome,
  CustomerService,
} from '../customers/customer-service.ts';
import { preconditionRequired } from '../preconditions/preconditions.ts';
import { agreeOn } from '../preconditions/read-only-members.ts';
import type { BatchOperation } from '../schemas/batch.ts';

export type BatchOutcome = CustomerOutcome | CreateOutcome;

export interface BatchContext {
  readonly customers: CustomerService;
  /** Of the batch: its creations without an id get theirs from it. */
  readonly key: string | undefined;
}

/** What became of one operation; `error` is what its write threw. */
export type BatchResult =
  | ({ readonly outcome: BatchOutcome } & BatchTarget)
  | ({ readonly error: unknown } & BatchTarget);

interface BatchTarget {
  readonly customerId: string | undefined;
  /** The version that the operation depends on. */
  readonly ifVersion: string | undefined;
}

/**
 * Writes all at once, so that those of one bucket share a transaction. Each is done or not by itself:
 * one that fails takes no other with it. In the order of the operations; never throws.
 */
export async function applyBatch(
  operations: readonly BatchOperation[],
  context: BatchContext,
): Promise<readonly BatchResult[]> {
  return Promise.all(
    operations.map(async (operation, index): Promise<BatchResult> => {
      const { replace, delete: removal } = operation;
      const target = { customerId: idOf(operation), ifVersion: (replace ?? removal)?.ifVersion };
      try {
        return { ...target, outcome: await apply(operation, index, context) };
      } catch (error) {
        return { ...target, error };
      }
    }),
  );
}

/** Of the outcome; undefined when nothing was written. */
export function versionOf(outcome: BatchOutcome): VersionVector | undefined {
  if (outcome.kind === 'deleted') return outcome.version;
  return 'record' in outcome ? outcome.record.version : undefined;
}

export function idOf({ create, replace, delete: removal }: BatchOperation): string | undefined {
  return (create ?? replace ?? removal)?.customerId?.toLowerCase();
}

async function apply(
  { create, replace, delete: removal }: BatchOperation,
  index: number,
  { customers, key }: BatchContext,
): Promise<BatchOutcome> {
  if (create !== undefined) {
    const { customerId, customer } = create;
    if (customerId !== undefined) return customers.put(customerId, customer, { kind: 'absent' });
    return customers.create(customer, key === undefined ? undefined : `${key}\nbatch\n${index}`);
  }
  const { customerId, ifVersion } = (replace ?? removal)!;
  const condition: WriteCondition | undefined =
    ifVersion === undefined ? undefined : { kind: 'version', versions: [ifVersion] };
  if (condition === undefined && customers.isPreconditionRequired()) throw preconditionRequired();
  if (replace === undefined) return customers.remove(customerId, condition);
  const agreed = await agreeOn(replace.customer, { customers, customerId }, condition);
  return customers.put(customerId, agreed.fields, agreed.condition);
}
