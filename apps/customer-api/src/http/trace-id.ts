const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?<more>-.*)?$/;
const TRACEPARENT_LENGTH_MAX = 256;

/** The trace id of a W3C `traceparent` header; undefined when there is none, or a malformed one. */
export function traceIdOf(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header.length > TRACEPARENT_LENGTH_MAX) return undefined;
  const { version, traceId, more } = TRACEPARENT.exec(header)?.groups ?? {};
  // Later versions may append fields, version 00 may not.
  return version === '00' && more !== undefined ? undefined : traceId;
}
