import { assertNever, encodeVector, type VersionVector } from '@tandem/core';
import type { FastifyReply } from 'fastify';
import type {
  CreateOutcome,
  CustomerOutcome,
  CustomerRecord,
} from '../customers/customer-service.ts';
import type { CustomerAnswer } from '../schemas/customer.ts';
import { formatEntityTag } from '../preconditions/entity-tag.ts';
import { ProblemError } from '../http/problem.ts';

export function toAnswer(record: CustomerRecord): CustomerAnswer {
  const { entityId, entity, referenceId } = record;
  return {
    customerId: entityId,
    ...toFields(entity),
    ...(referenceId === undefined ? {} : { referenceId }),
  };
}

/** What clients see of a customer. */
export function toFields({
  creationDigest: _digest,
  ...fields
}: CustomerRecord['entity']): Omit<CustomerRecord['entity'], 'creationDigest'> {
  return fields;
}

function customerPath(customerId: string): string {
  return `/customers/${customerId}`;
}

/** Throws the problem that the outcome of a write is to a client. */
export function sendOutcome(
  reply: FastifyReply,
  outcome: CustomerOutcome | CreateOutcome,
): FastifyReply {
  switch (outcome.kind) {
    case 'created':
      return sendCreated(reply, outcome.record);
    case 'replayed':
      return sendCreated(reply.header('idempotency-replayed', 'true'), outcome.record);
    case 'replaced':
      return sendCustomer(reply, outcome.record);
    case 'deleted':
      return setVersion(reply.code(204), outcome.version).send();
    case 'not-found':
      throw customerNotFound();
    case 'key-reused':
      throw new ProblemError('key-reused', {
        detail: 'The Idempotency-Key was used with another body: take a new key.',
      });
    case 'key-spent':
      throw new ProblemError('key-spent', {
        detail: 'The Idempotency-Key was used, and its customer deleted since: take a new key.',
      });
    case 'condition-failed':
      throw preconditionFailed(outcome.current);
    default:
      return assertNever(outcome);
  }
}

function sendCreated(reply: FastifyReply, record: CustomerRecord): FastifyReply {
  reply.code(201).header('location', customerPath(record.entityId));
  return sendCustomer(reply, record);
}

export function sendCustomer(reply: FastifyReply, record: CustomerRecord): FastifyReply {
  reply.header('etag', formatEntityTag(record.version));
  return setVersion(reply, record.version).send(toAnswer(record));
}

/** What a client sends as the least version that it accepts, here or in another region. */
export function setVersion(reply: FastifyReply, version: VersionVector): FastifyReply {
  return reply.header('x-tandem-version', encodeVector(version));
}

function versionHeaders(version: VersionVector): Record<string, string> {
  return { etag: formatEntityTag(version), 'x-tandem-version': encodeVector(version) };
}

export function customerNotFound(): ProblemError {
  return new ProblemError('customer-not-found', {
    detail: 'It was never created, was deleted, or has not reached this region yet.',
  });
}

export function preconditionFailed(current: CustomerRecord | undefined): ProblemError {
  return new ProblemError('precondition-failed', {
    detail:
      current === undefined
        ? 'There is no such customer.'
        : 'The ETag of this answer is the current version: read it, and decide anew.',
    headers: current === undefined ? {} : versionHeaders(current.version),
  });
}
