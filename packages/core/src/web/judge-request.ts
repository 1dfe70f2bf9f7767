/**
 * Whether a request comes from where it should. A page of any site can send requests to what listens on
 * this machine, and by giving its own name a second address (DNS rebinding) it can read the answers, too.
 * The browser says enough to tell: the name that the page believes it talks to (Host), where the page is
 * from (Origin), and how the two belong together (Sec-Fetch-Site). What is no browser sends none of the
 * last two. https://www.w3.org/TR/fetch-metadata/
 */
import { isIP } from 'node:net';

interface RequestFacts {
  readonly method: string;
  /** As it was sent: a path, or a whole URL. */
  readonly target: string;
  /** Names and values in turn, as they were sent, repetitions included. */
  readonly rawHeaders: readonly string[];
}

type RequestVerdict =
  | { readonly kind: 'taken' }
  /** `why` is a sentence for who sent it, and names the remedy. */
  | { readonly kind: 'refused'; readonly part: 'host' | 'origin'; readonly why: string };

export type JudgeRequest = (facts: RequestFacts) => RequestVerdict;

/** Said of `ALLOWED_HOSTS` in the settings of whatever listens. */
export const ALLOWED_HOSTS_PATTERN =
  '^\\s*(?:\\*|(?:\\*\\.)?[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*)(?:\\s*,\\s*(?:\\*|(?:\\*\\.)?[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*))*\\s*$';

/** Reads `api.example.com,*.example.org`, or `*` for any name. */
export function readAllowedHosts(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}

const TAKEN: RequestVerdict = { kind: 'taken' };
const ANY = '*';
/** A name, an address, or one in brackets, with or without a port. */
const HOST = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[a-z0-9._-]+))(?::\d{1,5})?$/i;
/** What a page asks for whose address a person opened, by a link of another site for instance. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Addresses, names of this machine and names that nobody outside can own are always taken as Host, and
 * every name in `allowedHosts`. An Origin must be the Host itself, or a name in `allowedHosts` (not by `*`).
 */
export function createRequestJudge(allowedHosts: readonly string[] = []): JudgeRequest {
  const isAllowed = (name: string): boolean => allowedHosts.some((one) => isSame(one, name));
  return ({ method, target, rawHeaders }) => {
    const read = (name: string): string[] => valuesOf(rawHeaders, name);
    const hosts = read('host');
    if (hosts.length > 1) return refuse('host', 'The request names two hosts: send one Host.');
    const host = authorityOf(target) ?? hosts[0];
    const name = host === undefined ? undefined : hostNameOf(host);
    const isKnown = name !== undefined && (isOwn(name) || isAllowed(name));
    // Only what is no browser, and older than HTTP/1.1, sends none.
    if (host !== undefined && !isKnown && !allowedHosts.includes(ANY)) {
      return refuse(
        'host',
        `This is not ${quote(host)}: ask by an address, or name it in ALLOWED_HOSTS.`,
      );
    }
    for (const origin of read('origin')) {
      if (isOriginOf(origin, host)) continue;
      const from = URL.canParse(origin) ? new URL(origin).hostname : undefined;
      if (from !== undefined && isAllowed(from)) return TAKEN;
      return refuse('origin', `Pages of ${quote(origin)} may not ask here.`);
    }
    const [site] = read('sec-fetch-site');
    if (site === undefined || site === 'same-origin' || site === 'none') return TAKEN;
    const isOpened =
      read('sec-fetch-mode')[0] === 'navigate' && read('sec-fetch-dest')[0] === 'document';
    // A page that is opened is shown to the person, and to no other page.
    if (isOpened && SAFE_METHODS.has(method)) return TAKEN;
    return refuse('origin', 'Pages of other sites may not ask here.');
  };
}

/** RFC 9112, 3.2.2: what the target names counts, whatever the Host says. */
function authorityOf(target: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(target)?.[1];
}

/** Returns the name in lower case, without its port; undefined for what can be no host. */
function hostNameOf(host: string): string | undefined {
  const groups = HOST.exec(host)?.groups;
  return (groups?.['v6'] ?? groups?.['name'])?.toLowerCase().replace(/\.$/, '');
}

/**
 * Says whether no page can be of a site with this name unless it is ours: an address, which no name stands for;
 * a name of this machine; and names that are in no public zone, as containers and clusters have them.
 */
function isOwn(name: string): boolean {
  if (isIP(name) !== 0 || !name.includes('.')) return name !== '';
  return ['.localhost', '.internal', '.svc', '.cluster.local'].some((zone) => name.endsWith(zone));
}

function isSame(allowed: string, name: string): boolean {
  return allowed.startsWith('*.') ? name.endsWith(allowed.slice(1)) : allowed === name;
}

/** The Origin says by which scheme, which nobody behind a proxy knows by itself. */
function isOriginOf(origin: string, host: string | undefined): boolean {
  if (host === undefined || !/^https?:\/\//.test(origin) || !URL.canParse(origin)) return false;
  const { protocol, host: from } = new URL(origin);
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === from;
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const given = rawHeaders[index];
    // Most are told apart by their length, at every request.
    if (given?.length === name.length && given.toLowerCase() === name) {
      values.push(rawHeaders[index + 1] ?? '');
    }
  }
  return values;
}

const QUOTED_LENGTH_MAX = 100;

function quote(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX));
}

function refuse(part: 'host' | 'origin', why: string): RequestVerdict {
  return { kind: 'refused', part, why };
}
