import { assert, encodeVector, type VersionVector } from '@tandem/core';
import type { FastifyReply } from 'fastify';
import type {
  CreateOutcome,
  CustomerOutcome,
  CustomerRecord,
} from '../customers/customer-service.ts';
import type { CustomerAnswer } from '../schemas/customer.ts';
import { formatEntityTag } from '../preconditions/entity-tag.ts';
import { whyNeverMatched } from '../preconditions/preconditions.ts';
import { problemOfOutcome } from './problem-of-outcome.ts';

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
    case 'unchanged':
      return sendCustomer(reply, outcome.record);
    case 'deleted':
      return setVersion(reply.code(204), outcome.version).send();
    default: {
      const problem = problemOfOutcome(outcome, whyNeverMatched(reply.request.headers));
      assert(problem !== undefined, 'what was not written is a problem');
      throw problem;
    }
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
