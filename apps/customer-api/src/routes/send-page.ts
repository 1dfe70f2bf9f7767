import { encodeVector } from '@tandem/core';
import type { EntityPage } from '@tandem/storage';
import type { FastifyReply } from 'fastify';
import type { CustomerKind } from '../customers/customer-service.ts';
import { toAnswer } from './send-outcome.ts';

interface PageResult {
  readonly limit: number;
  readonly page: EntityPage<CustomerKind>;
}

/** Answers with one page, and links to the next when there is one (RFC 8288). */
export function sendPage(reply: FastifyReply, { limit, page }: PageResult): FastifyReply {
  const { records, cursor } = page;
  const items = records.map((record) => ({
    ...toAnswer(record),
    version: encodeVector(record.version),
  }));
  if (cursor === undefined) return reply.send({ items });
  const query = new URLSearchParams({ limit: String(limit), cursor });
  return reply
    .header('link', `</customers?${query.toString()}>; rel="next"`)
    .send({ items, nextCursor: cursor });
}
