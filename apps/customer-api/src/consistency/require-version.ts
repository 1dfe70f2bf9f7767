import { decodeVector } from '@tandem/core';
import type { FastifyRequest } from 'fastify';
import type { CustomerService } from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import { readPreferences } from './preferences.ts';

const LEAST_VERSION_HEADER = 'x-tandem-min-version';

/** When the peer is up, what is on its way arrives within a second or so. */
const RETRY_AFTER_S = 1;

export function namesLeastVersion({ headers }: FastifyRequest): boolean {
  return headers[LEAST_VERSION_HEADER] !== undefined;
}

/**
 * For a request of one customer that names the least version it accepts: waits until this region
 * has it, so that neither the answer shows, nor the write is made on, anything older. Throws
 * `version-malformed`, and `version-not-reached` when the wait is over.
 */
export async function requireVersion(
  request: FastifyRequest,
  customers: Pick<CustomerService, 'reaches'>,
): Promise<void> {
  const header = request.headers[LEAST_VERSION_HEADER];
  const { customerId } = request.params as { readonly customerId?: string };
  if (header === undefined || customerId === undefined) return;
  const least = decodeVector(
    String(header)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  );
  if (least === undefined) throw malformed();
  const { waitMs } = readPreferences(request.headers.prefer?.toString());
  if (await customers.reaches(customerId, least, waitMs)) return;
  throw versionNotReached(waitMs);
}

export function versionNotReached(waitMs: number): ProblemError {
  return new ProblemError('version-not-reached', {
    detail: `It was not here within ${waitMs} ms. Send the request again, or to another region.`,
    headers: { 'retry-after': String(RETRY_AFTER_S) },
  });
}

function malformed(): ProblemError {
  const message = 'must be a version that an answer carried';
  return new ProblemError('version-malformed', {
    detail: 'Send the text of an x-tandem-version or ETag header as it is.',
    errors: [{ in: 'header', field: `/${LEAST_VERSION_HEADER}`, rule: 'version', message }],
  });
}
