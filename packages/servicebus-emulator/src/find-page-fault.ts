import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Zones in which no page of a stranger can stand: of this machine, of containers and clusters, of the service. */
const OWN_ZONES = [
  '.localhost',
  '.internal',
  '.cluster.local',
  '.servicebus.windows.net',
  '.servicebus.usgovcloudapi.net',
  '.servicebus.chinacloudapi.cn',
];

/**
 * Says why a request is refused because a page in a browser may have sent it, or undefined. No page has
 * business with these ports, and by a name that leads here (DNS rebinding) one could even read the answers.
 * `allowedHosts` undefined: any name will do, for tokens are verified.
 */
export function findPageFault(
  { headers, url = '/' }: Pick<IncomingMessage, 'headers' | 'url'>,
  allowedHosts: readonly string[] | undefined,
): string | undefined {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (origin !== undefined || (site !== undefined && site !== 'none')) {
    return 'Pages in a browser may not ask here';
  }
  // A whole URL as the target counts, whatever the Host says.
  const asked = /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? host;
  if (allowedHosts === undefined || asked === undefined) return undefined;
  const name = /^(?:\[(.*)\]|([^:@]*))(?::\d+)?$/.exec(asked.toLowerCase());
  const known = name?.[1] ?? name?.[2] ?? '';
  return isOwn(known, allowedHosts)
    ? undefined
    : `The host '${asked.slice(0, 100)}' is none of this emulator: use an address, or --allowed-hosts`;
}

function isOwn(name: string, allowedHosts: readonly string[]): boolean {
  if (name === '') return false;
  if (isIP(name) !== 0 || !name.includes('.') || allowedHosts.includes(name)) return true;
  return OWN_ZONES.some((zone) => name.endsWith(zone));
}
