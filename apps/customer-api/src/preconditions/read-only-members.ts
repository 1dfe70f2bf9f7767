import { encodeVector } from '@tandem/core';
import type { WriteCondition } from '@tandem/storage';
import type { CustomerRecord, CustomerService } from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import { preconditionFailed } from '../routes/problem-of-outcome.ts';
import type { ReadOnlyMembers } from '../schemas/customer.ts';

interface Target {
  readonly customers: Pick<CustomerService, 'get'>;
  readonly customerId: string;
}

interface Agreement<T> {
  /** Without the members that no write sets. */
  readonly fields: Omit<T, keyof ReadOnlyMembers>;
  /** Holds only while what was sent is what is there. */
  readonly condition: WriteCondition | undefined;
}

/**
 * Takes what a read gave out of what is sent back: it must be that of the customer still. Throws
 * `read-only-differs` for another customer's id, and `precondition-failed` for a version or a reference that
 * is not the current one, naming it.
 */
export async function agreeOn<T extends ReadOnlyMembers>(
  body: T,
  { customers, customerId }: Target,
  condition: WriteCondition | undefined,
): Promise<Agreement<T>> {
  const { customerId: ownId, referenceId, version, ...fields } = body;
  if (ownId !== undefined && ownId.toLowerCase() !== customerId.toLowerCase()) throw otherId();
  if (referenceId === undefined && version === undefined) return { fields, condition };
  const current = await customers.get(customerId);
  const differing = [
    ...(version === undefined || version === versionOf(current) ? [] : ['version']),
    ...(referenceId === undefined || referenceId === current?.referenceId ? [] : ['referenceId']),
  ];
  if (current === undefined || differing.length > 0) throw differs(current, differing);
  return { fields, condition: narrowed(condition, encodeVector(current.version)) };
}

function versionOf(current: CustomerRecord | undefined): string | undefined {
  return current && encodeVector(current.version);
}

/** Both hold: the one that was asked for, and that the version is this one. */
function narrowed(condition: WriteCondition | undefined, version: string): WriteCondition {
  // The customer is there, so what is to be absent is refused as it stands.
  if (condition?.kind === 'absent') return condition;
  const isOther = condition?.kind === 'version' && !condition.versions.includes(version);
  return isOther ? condition : { kind: 'version', versions: [version] };
}

function otherId(): ProblemError {
  return new ProblemError('read-only-differs', {
    detail: 'The body is of another customer than the path: send it to the path of its customerId.',
    errors: [violationOf('customerId')],
  });
}

function differs(current: CustomerRecord | undefined, members: readonly string[]): ProblemError {
  const why = `The customer has been written since it was read: its ${members.join(' and ')} is another.`;
  return preconditionFailed(current, {
    detail: current === undefined ? undefined : `${why} Read it again, or leave that out.`,
    errors: members.map(violationOf),
  });
}

function violationOf(member: string) {
  const message = 'must be that of the customer, or be left out';
  return { in: 'body', field: `/${member}`, rule: 'readOnly', message } as const;
}
