import { decodeVector } from '@tandem/core';
import type { FastifyRequest } from 'fastify';
import type { CustomerService } from '../customers/customer-service.ts';
import { placeHolder } from '../http/places.ts';
import { ProblemError } from '../http/problem.ts';
import type { Violation } from '../validation/violation.ts';
import { readPreferences } from './preferences.ts';

const LEAST_VERSION_HEADER = 'x-tandem-min-version';

/** When the peer is up, what is on its way arrives within a second or so. */
const RETRY_AFTER_S = 1;

export function namesLeastVersion({ headers }: FastifyRequest): boolean {
  return headers[LEAST_VERSION_HEADER] !== undefined;
}

/**
 * For a request that names the least version it accepts: waits until this region
 * has it, so that neither the answer shows, nor the write is made on, anything older. Throws
 * `version-malformed`, for one that cannot be and on a path of many customers too, `overloaded`, and
 * `version-not-reached` when the wait is over.
 */
export async function requireVersion(
  request: FastifyRequest,
  customers: Pick<CustomerService, 'reach'>,
): Promise<void> {
  const header = request.headers[LEAST_VERSION_HEADER];
  const { customerId } = request.params as { readonly customerId?: string };
  if (header === undefined) return;
  if (customerId === undefined) throw notOfOne();
  const least = decodeVector(
    String(header)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  );
  if (least === undefined) throw malformed();
  const { waitMs } = readPreferences(request.headers.prefer?.toString());
  const wait = { waitMs, caller: placeHolder(request) };
  const reach = await customers.reach(customerId, least, wait);
  if (reach.kind === 'impossible') throw impossible(reach.why);
  if (reach.kind === 'not-reached') throw versionNotReached(waitMs);
}

export function versionNotReached(waitMs: number): ProblemError {
  return new ProblemError('version-not-reached', {
    detail: `It was not here within ${waitMs} ms. Send the request again, or to another region.`,
    headers: { 'retry-after': String(RETRY_AFTER_S) },
  });
}

function malformed(): ProblemError {
  return refused('Send the text of an x-tandem-version or ETag header as it is.', {
    rule: 'version',
    message: 'must be a version that an answer carried',
  });
}

function impossible(why: string): ProblemError {
  return refused(`No region of these can have made this version: ${why}`, {
    rule: 'plausible',
    message: 'must be a version that a region can have made',
  });
}

/** Passed over, it would seem to hold. */
function notOfOne(): ProblemError {
  return refused('It is a version of one customer, and this path is of many: leave it out here.', {
    rule: 'path',
    message: 'must not be sent to a path that is not of one customer',
  });
}

function refused(detail: string, broken: Pick<Violation, 'rule' | 'message'>): ProblemError {
  const errors = [{ in: 'header', field: `/${LEAST_VERSION_HEADER}`, ...broken } as const];
  return new ProblemError('version-malformed', { detail, errors });
}
