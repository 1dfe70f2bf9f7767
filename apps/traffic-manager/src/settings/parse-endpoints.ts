import type { EndpointAddress } from '../monitoring/profile.ts';
import { ENDPOINTS_MAX } from './settings-schema.ts';

const ENDPOINT_NAME = /^[a-z][a-z0-9-]{0,62}$/;

export interface ParsedEndpoints {
  readonly endpoints: readonly EndpointAddress[];
  readonly problems: readonly string[];
}

/** Reads `east=http://127.0.0.1:8081,west=…`; the order is the priority. Reports every bad entry. */
export function parseEndpoints(text: string): ParsedEndpoints {
  const problems: string[] = [];
  const endpoints: EndpointAddress[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.length > ENDPOINTS_MAX) {
    return { endpoints, problems: [`has ${entries.length} endpoints, more than ${ENDPOINTS_MAX}`] };
  }
  for (const entry of entries) {
    const separator = entry.indexOf('=');
    const name = entry.slice(0, Math.max(0, separator));
    const url = parseOrigin(entry.slice(separator + 1));
    if (!ENDPOINT_NAME.test(name)) problems.push(`"${entry}" does not begin with a name and =`);
    else if (url === undefined) problems.push(`"${entry}" does not name a url http://host:port`);
    else if (endpoints.some((other) => other.name === name)) {
      problems.push(`the name ${name} is there twice`);
    } else if (endpoints.some((other) => other.url === url)) {
      problems.push(`the url ${url} is there twice`);
    } else endpoints.push({ name, url });
  }
  return { endpoints, problems };
}

/** The url's origin, when there is nothing else in it. */
function parseOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const hasOnlyOrigin = url.href === `${url.origin}/`;
  return url.protocol === 'http:' && hasOnlyOrigin ? url.origin : undefined;
}
