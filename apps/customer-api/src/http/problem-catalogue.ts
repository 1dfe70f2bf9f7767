interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/**
 * Every problem that the API answers with (RFC 9457), by the last part of its type URI. The code is
 * the contract: clients branch on it, so it never changes; titles may be reworded.
 */
export const PROBLEMS = {
  'malformed-request': { status: 400, title: 'The request is not well-formed HTTP.' },
  'malformed-json': { status: 400, title: 'The body is not JSON in UTF-8.' },
  'validation-failed': { status: 400, title: 'A part of the request breaks a rule.' },
  'precondition-malformed': { status: 400, title: 'A precondition header cannot be understood.' },
  'version-malformed': { status: 400, title: 'The least version is none to wait for.' },
  'cursor-invalid': { status: 400, title: 'The cursor does not come from this list.' },
  'receipt-invalid': { status: 400, title: 'The receipt is not one of this customer.' },
  'token-missing': { status: 401, title: 'An access token is needed.' },
  'token-invalid': { status: 401, title: 'The access token is not accepted.' },
  'scope-missing': { status: 403, title: 'The access token does not allow this.' },
  'site-refused': { status: 403, title: 'The request comes from another site.' },
  'customer-not-found': { status: 404, title: 'There is no such customer.' },
  'route-not-found': { status: 404, title: 'There is nothing at this path.' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method.' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time.' },
  'key-spent': { status: 409, title: 'The customer of this key was deleted.' },
  'id-taken': { status: 409, title: 'Another customer has the id of this key.' },
  'precondition-failed': { status: 412, title: 'The customer is not in the state asked for.' },
  'body-too-large': { status: 413, title: 'The body is too large.' },
  'line-too-long': { status: 413, title: 'The line is too long.' },
  'uri-too-long': { status: 414, title: 'A part of the path is too long.' },
  'unsupported-media-type': { status: 415, title: 'The body is of a type not taken here.' },
  'read-only-differs': { status: 422, title: 'A member that no write sets is another.' },
  'key-reused': { status: 422, title: 'The key belongs to another request.' },
  'limit-exceeded': { status: 422, title: 'The customer does not fit into a table row.' },
  'entity-invalid': { status: 422, title: 'A field cannot hold its value.' },
  'precondition-required': { status: 428, title: 'The write takes a precondition.' },
  'rate-limited': { status: 429, title: 'Too many requests of one caller.' },
  'headers-too-large': { status: 431, title: 'The headers are too large.' },
  'internal-error': { status: 500, title: 'Something is broken in this service.' },
  'version-not-reached': { status: 503, title: 'The region has not reached that version yet.' },
  overloaded: { status: 503, title: 'The process has too much to do.' },
  'service-unavailable': { status: 503, title: 'The region cannot do this at the moment.' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export function problemType(code: ProblemCode): string {
  return `/problems/${code}`;
}
