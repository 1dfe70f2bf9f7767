import { assertNever } from '@tandem/core';
import type { FastifyReply } from 'fastify';
import type { CustomerRecord } from '../customers/customer-service.ts';
import { formatEntityTag } from '../preconditions/entity-tag.ts';
import {
  judgeRead,
  type PreconditionHeaders,
  whyNeverMatched,
} from '../preconditions/preconditions.ts';
import { customerNotFound, preconditionFailed } from './problem-of-outcome.ts';
import { sendCustomer, setVersion } from './send-outcome.ts';

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
