import { encodeVector } from '@tandem/core';
import type { EntityPage } from '@tandem/storage';
import type { FastifyReply } from 'fastify';
import type { CustomerKind, CustomerRecord } from '../customers/customer-service.ts';
import type { CustomerPage, ListedCustomer } from '../schemas/customer.ts';
import { toAnswer } from './send-outcome.ts';

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
