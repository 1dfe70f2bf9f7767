import { assertNever } from '@tandem/core';
import type { FastifyReply } from 'fastify';
import type { CustomerOutcome, CustomerRecord } from '../customers/customer-service.ts';
import type { CustomerAnswer } from '../schemas/customer.ts';
import { formatEntityTag } from '../preconditions/entity-tag.ts';
import { ProblemError } from '../http/problem.ts';

export function toAnswer(record: CustomerRecord): CustomerAnswer {
  const { entityId, entity, referenceId } = record;
  return {
    customerId: entityId,
    ...entity,
    ...(referenceId === undefined ? {} : { referenceId }),
  };
}

function customerPath(customerId: string): string {
  return `/customers/${customerId}`;
}

/** Throws the problem that the outcome of a write is to a client. */
export function sendOutcome(reply: FastifyReply, outcome: CustomerOutcome): FastifyReply {
  switch (outcome.kind) {
    case 'created':
      reply.code(201).header('location', customerPath(outcome.record.entityId));
      return sendCustomer(reply, outcome.record);
    case 'replaced':
      return sendCustomer(reply, outcome.record);
    case 'deleted':
      return reply.code(204).send();
    case 'not-found':
      throw customerNotFound();
    case 'condition-failed':
      throw preconditionFailed(outcome.current);
    default:
      return assertNever(outcome);
  }
}

export function sendCustomer(reply: FastifyReply, record: CustomerRecord): FastifyReply {
  return reply.header('etag', formatEntityTag(record.version)).send(toAnswer(record));
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
    headers: current === undefined ? {} : { etag: formatEntityTag(current.version) },
  });
}
