// What the proxy changes in the headers of a request and of its answer; all else passes as it came.
import type { IncomingHttpHeaders } from 'node:http';

export const ENDPOINT_HEADER = 'x-tandem-endpoint';

/** Headers of one connection (RFC 9110, 7.6.1): they end here, in both directions. */
const CONNECTION_HEADERS = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

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
  const forwarded = withoutHeaders(headers, [...CONNECTION_HEADERS, 'expect']);
  // The body of a GET or HEAD is not forwarded, so its length must not be either.
  if (request.method === 'GET' || request.method === 'HEAD') delete forwarded['content-length'];
  const earlierHops = [headers['x-forwarded-for'] ?? []].flat();
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
  return { ...withoutHeaders(headers, CONNECTION_HEADERS), [ENDPOINT_HEADER]: endpointName };
}

function withoutHeaders(
  headers: IncomingHttpHeaders,
  removed: readonly string[],
): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !removed.includes(name)));
}
