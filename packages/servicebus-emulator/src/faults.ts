import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** What a fault can strike. An attach is a link that a client opens to the queue. */
export const FAULTY_OPERATIONS = ['send', 'settle', 'attach', 'manage'] as const;
export type FaultyOperation = (typeof FAULTY_OPERATIONS)[number];

/** Faults that tests put into one namespace. Names of queues are compared without regard to case. */
export interface Faults {
  /** The condition with which to refuse this operation, when one is due. */
  takeFailure(queueName: string, operation: FaultyOperation): string | undefined;
  failNext(queueName: string, failure: NextFailure): void;
  /** Undefined while the operation goes on; else resolves when it goes on again. */
  held(queueName: string, operation: FaultyOperation): Promise<void> | undefined;
  hold(queueName: string, operation: FaultyOperation): void;
  release(queueName: string, operation: FaultyOperation): void;
  /** True when the delivery that is going out is to be sent twice. */
  takeDuplicate(queueName: string): boolean;
  duplicateNext(queueName: string, count: number): void;
}

export interface NextFailure {
  readonly operation: FaultyOperation;
  readonly count: number;
  readonly condition: string;
}

interface Pause {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

function createPause(): Pause {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { ended: promise, end: resolve };
}

export function createFaults(): Faults {
  const failures = new Map<string, { condition: string; left: number }>();
  const pauses = new Map<string, Pause>();
  const duplicates = new Map<string, number>();
  const keyOf = (queueName: string, operation: FaultyOperation) =>
    `${operation} ${queueName.toLowerCase()}`;
  return {
    takeFailure(queueName, operation) {
      // Nearly always: nothing to look for in the way of every message.
      if (failures.size === 0) return undefined;
      const key = keyOf(queueName, operation);
      const failure = failures.get(key);
      if (failure === undefined) return undefined;
      failure.left -= 1;
      if (failure.left <= 0) failures.delete(key);
      return failure.condition;
    },
    failNext(queueName, { operation, count, condition }) {
      const key = keyOf(queueName, operation);
      if (count > 0) failures.set(key, { condition, left: count });
      else failures.delete(key);
    },
    held(queueName, operation) {
      return pauses.size === 0 ? undefined : pauses.get(keyOf(queueName, operation))?.ended;
    },
    hold(queueName, operation) {
      const key = keyOf(queueName, operation);
      if (!pauses.has(key)) pauses.set(key, createPause());
    },
    release(queueName, operation) {
      const key = keyOf(queueName, operation);
      pauses.get(key)?.end();
      pauses.delete(key);
    },
    takeDuplicate(queueName) {
      const key = queueName.toLowerCase();
      const left = duplicates.get(key);
      if (left === undefined) return false;
      if (left <= 1) duplicates.delete(key);
      else duplicates.set(key, left - 1);
      return true;
    },
    duplicateNext(queueName, count) {
      if (count > 0) duplicates.set(queueName.toLowerCase(), count);
      else duplicates.delete(queueName.toLowerCase());
    },
  };
}

/**
 * Returns what a request asks for; undefined for what is no address. The path of one may begin with several slashes, where a URL
 * would have a host, and stays a path.
 */
export function readTarget(
  { url = '/' }: Pick<IncomingMessage, 'url'>,
  baseUrl = 'http://localhost',
): URL | undefined {
  const address = url.startsWith('/') ? `${baseUrl}${url.replace(/^\/+/, '/')}` : url;
  return URL.canParse(address, baseUrl) ? new URL(address, baseUrl) : undefined;
}

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
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  if (origin !== undefined || (site !== undefined && site !== 'none')) {
    return 'Pages in a browser may not ask here';
  }
  return findHostFault({ headers, url }, allowedHosts);
}

/**
 * Says why a request is refused that did not come from a page of this emulator or from its address line: pages of
 * other sites may neither press what is on its pages nor read them. A form names the page that it was on.
 */
export function findSiteFault(
  { headers, url = '/', method }: Pick<IncomingMessage, 'headers' | 'url' | 'method'>,
  allowedHosts: readonly string[],
): string | undefined {
  const { origin, host } = headers;
  const own = [`http://${host}`, `https://${host}`];
  const isOwnPage = origin !== undefined && own.includes(origin);
  const site = headers['sec-fetch-site'];
  const isOwnSite = site === undefined || site === 'none' || site === 'same-origin';
  const isOpened =
    headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  const isTaken =
    method === 'GET'
      ? (origin === undefined || isOwnPage) && (isOwnSite || isOpened)
      : isOwnPage && isOwnSite;
  if (!isTaken) return 'Pages of other sites may not ask here';
  return findHostFault({ headers, url }, allowedHosts);
}

function findHostFault(
  {
    headers: { host },
    url,
  }: { readonly headers: IncomingMessage['headers']; readonly url: string },
  allowedHosts: readonly string[] | undefined,
): string | undefined {
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
