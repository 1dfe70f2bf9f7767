import { assert, assertNever, encodeVector, type VersionVector } from '@tandem/core';
import { versionOf } from '@tandem/region';
import type { EntityPage } from '@tandem/storage';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { nameUnknownLevel, readPreferences } from '../consistency/preferences.ts';
import type {
  CreateOutcome,
  CustomerKind,
  CustomerOutcome,
  CustomerRecord,
  CustomerService,
} from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import {
  formatEntityTag,
  judgeRead,
  type PreconditionHeaders,
  preconditionFailed,
  whyNeverMatched,
} from '../preconditions/preconditions.ts';
import type { CustomerAnswer, CustomerPage, ListedCustomer } from './customers-schema.ts';

function toAnswer(record: CustomerRecord): CustomerAnswer {
  const { entityId, entity, referenceId } = record;
  return {
    customerId: entityId,
    ...toFields(entity),
    ...(referenceId === undefined ? {} : { referenceId }),
  };
}

/** Returns what clients see of a customer. */
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
function sendOutcome(reply: FastifyReply, outcome: CustomerOutcome | CreateOutcome): FastifyReply {
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

function sendCustomer(reply: FastifyReply, record: CustomerRecord): FastifyReply {
  reply.header('etag', formatEntityTag(record.version));
  return setVersion(reply, record.version).send(toAnswer(record));
}

/** What a client sends as the least version that it accepts, here or in another region. */
function setVersion(reply: FastifyReply, version: VersionVector): FastifyReply {
  return reply.header('x-tandem-version', encodeVector(version));
}

/** What the outcome of a write is to a client; undefined when it was written. */
export function problemOfOutcome(
  outcome: CustomerOutcome | CreateOutcome,
  whyNeverMatched?: string,
): ProblemError | undefined {
  switch (outcome.kind) {
    case 'created':
    case 'replayed':
    case 'replaced':
    case 'unchanged':
    case 'deleted':
      return undefined;
    case 'not-found':
      return customerNotFound();
    case 'key-reused':
      return new ProblemError('key-reused', {
        detail: 'The Idempotency-Key was used with another body: take a new key.',
      });
    case 'key-spent':
      return new ProblemError('key-spent', {
        detail: 'The Idempotency-Key was used, and its customer deleted since: take a new key.',
      });
    case 'id-taken':
      return new ProblemError('id-taken', {
        detail:
          'The id that this Idempotency-Key makes is that of a customer which the key has not created: ' +
          'take a new key.',
      });
    case 'condition-failed':
      return preconditionFailed(outcome.current, { detail: whyNeverMatched });
    default:
      return assertNever(outcome);
  }
}

export function customerNotFound(): ProblemError {
  return new ProblemError('customer-not-found', {
    detail: 'It was never created, was deleted, or has not reached this region yet.',
  });
}

interface ReadResult {
  readonly record: CustomerRecord | undefined;
  readonly headers: PreconditionHeaders;
}

/** Answers a GET or HEAD of one customer. */
export function sendRead(reply: FastifyReply, { record, headers }: ReadResult): FastifyReply {
  if (record === undefined) throw customerNotFound();
  const verdict = judgeRead(headers, record.version);
  switch (verdict) {
    case 'send':
      return sendCustomer(reply, record);
    case 'not-modified':
      reply.code(304).header('etag', formatEntityTag(record.version));
      return setVersion(reply, record.version).send();
    case 'precondition-failed':
      throw preconditionFailed(record, { detail: whyNeverMatched(headers) });
    default:
      return assertNever(verdict);
  }
}

interface PageResult {
  /** What the next page is asked for with, but for the cursor. */
  readonly query: Readonly<Record<string, string>>;
  readonly page: EntityPage<CustomerKind>;
}

export function toListed(record: CustomerRecord): ListedCustomer {
  return { ...toAnswer(record), version: encodeVector(record.version) };
}

export function toPage({ records, cursor }: EntityPage<CustomerKind>): CustomerPage {
  const items = records.map(toListed);
  return cursor === undefined ? { items } : { items, nextCursor: cursor };
}

/** Answers with one page, and links to the next when there is one (RFC 8288). */
export function sendPage(reply: FastifyReply, { query, page }: PageResult): FastifyReply {
  const { cursor } = page;
  if (cursor !== undefined) {
    const next = new URLSearchParams({ ...query, cursor });
    reply.header('link', `</customers?${next.toString()}>; rel="next"`);
  }
  return reply.send(toPage(page));
}

interface WriteExchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly customers: Pick<CustomerService, 'acknowledgementOf' | 'receiptFor'>;
}

/**
 * Answers a write, and says which acknowledgement level it has reached. A write that is committed is
 * never answered with an error because it has not reached more. Throws the problem that the outcome
 * is to a client.
 */
export async function sendWrite(
  { request, reply, customers }: WriteExchange,
  outcome: CustomerOutcome | CreateOutcome,
): Promise<FastifyReply> {
  const version = versionOf(outcome);
  if (version === undefined) return sendOutcome(reply, outcome);
  const id = 'record' in outcome ? outcome.record.entityId : idOf(request);
  reply.header('x-tandem-receipt', customers.receiptFor(id, version));
  const preferences = readPreferences(request.headers.prefer?.toString());
  const { acknowledgement, peers: asked, waitMs } = preferences;
  nameUnknownLevel(reply, preferences);
  if (acknowledgement === 'local') {
    reply.header('x-tandem-acknowledged', 'local');
    return sendOutcome(reply, outcome);
  }
  const { level, peers } = await customers.acknowledgementOf(version, { peers: asked, waitMs });
  reply.header('x-tandem-acknowledged', level);
  if (peers.length > 0) reply.header('x-tandem-queued-peers', peers.join(', '));
  if (level === 'queued') reply.header('preference-applied', 'ack=queued');
  return sendOutcome(reply, outcome);
}

function idOf(request: FastifyRequest): string {
  return (request.params as { readonly customerId: string }).customerId;
}
