// What the proxy changes in the headers of a request and of its answer; all else passes as it came.
import type { IncomingHttpHeaders } from 'node:http';

export const ENDPOINT_HEADER = 'x-tandem-endpoint';

/** Headers of one connection (RFC 9110, 7.6.1): they end here, in both directions. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** What is said to a proxy, and by it, is not said to who stands behind it. */
const PROXY_PREFIX = 'proxy-';
/** How long a body is, and whose the request is, are no matter of a connection, whatever it says. */
const NEVER_NAMED: ReadonlySet<string> = new Set(['content-length', 'host']);

export interface ForwardedRequest {
  readonly method: string;
  readonly clientAddress: string;
  readonly protocol: string;
  readonly host: string | undefined;
}

/**
 * Headers for the endpoint. The Host stays the one that the client used, as it does behind real
 * Traffic Manager, which is only DNS; x-forwarded-* name the client and this hop.
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  request: ForwardedRequest,
): IncomingHttpHeaders {
  // The server has already answered "100 Continue", and the client library refuses the header.
  const forwarded = withoutConnection(headers);
  delete forwarded.expect;
  // The body of a GET or HEAD is not forwarded, so its length must not be either.
  if (request.method === 'GET' || request.method === 'HEAD') delete forwarded['content-length'];
  const earlierHops = [forwarded['x-forwarded-for'] ?? []].flat();
  forwarded['x-forwarded-for'] = [...earlierHops, request.clientAddress].join(', ');
  forwarded['x-forwarded-proto'] = request.protocol;
  if (request.host !== undefined) {
    forwarded.host = request.host;
    forwarded['x-forwarded-host'] = request.host;
  }
  return forwarded;
}

/** Headers for the client: the endpoint's own, and which endpoint it was. */
export function answerHeaders(
  headers: IncomingHttpHeaders,
  endpointName: string,
): IncomingHttpHeaders {
  return { ...withoutConnection(headers), [ENDPOINT_HEADER]: endpointName };
}

/** Without what belongs to the connection, by its nature or because its own header names it. */
function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const options = [headers.connection ?? []].flat().join(',').toLowerCase().split(',');
  const named = new Set(options.map((option) => option.trim()));
  const ends = (name: string): boolean =>
    CONNECTION_HEADERS.has(name) ||
    name.startsWith(PROXY_PREFIX) ||
    (named.has(name) && !NEVER_NAMED.has(name));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ends(name.toLowerCase())));
}
