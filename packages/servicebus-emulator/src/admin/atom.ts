import { XMLParser } from 'fast-xml-parser';
import type { Namespace } from '../namespace.ts';

/** The Atom documents of the administration interface: written here, read by fast-xml-parser. */

const ATOM = 'http://www.w3.org/2005/Atom';
const SERVICE_BUS = 'http://schemas.microsoft.com/netservices/2010/10/servicebus/connect';
const SCHEMA_INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
const DECLARATION = '<?xml version="1.0" encoding="utf-8"?>';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
}

export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${escapeText(String(text))}</${name}>`;
}

export interface AtomEntry {
  /** The address of the entity, whose path is its name. */
  readonly id: string;
  readonly title: string;
  readonly updatedAtMs: number;
  /** The element that describes the entity, and what is in it, encoded. */
  readonly content: { readonly name: string; readonly inner: string };
}

function writeEntryElement({ id, title, updatedAtMs, content }: AtomEntry): string {
  const namespaces = `xmlns="${SERVICE_BUS}" xmlns:i="${SCHEMA_INSTANCE}"`;
  return [
    `<entry xmlns="${ATOM}">`,
    element('id', id),
    `<title type="text">${escapeText(title)}</title>`,
    element('updated', new Date(updatedAtMs).toISOString()),
    `<content type="application/xml"><${content.name} ${namespaces}>`,
    content.inner,
    `</${content.name}></content></entry>`,
  ].join('');
}

export function writeEntry(entry: AtomEntry): string {
  return DECLARATION + writeEntryElement(entry);
}

export interface AtomFeed {
  readonly id: string;
  readonly title: string;
  readonly updatedAtMs: number;
  readonly entries: readonly AtomEntry[];
  /** The address of the next page. */
  readonly next: string | undefined;
}

export function writeFeed({ id, title, updatedAtMs, entries, next }: AtomFeed): string {
  const link = (rel: string, href: string) => `<link rel="${rel}" href="${escapeText(href)}"/>`;
  return [
    DECLARATION,
    `<feed xmlns="${ATOM}"><title type="text">${escapeText(title)}</title>`,
    element('id', id),
    element('updated', new Date(updatedAtMs).toISOString()),
    // As in the service's feed: the last page has one link, and some clients count them.
    link('self', id),
    ...(next === undefined ? [] : [link('next', next)]),
    ...entries.map(writeEntryElement),
    '</feed>',
  ].join('');
}

function writeError(status: number, detail: string): string {
  return `${DECLARATION}<Error>${element('Code', status)}${element('Detail', detail)}</Error>`;
}

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: true,
  ignoreDeclaration: true,
});

export interface AtomContent {
  /** The element that describes the entity, such as QueueDescription. */
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
  /** The elements that hold others, such as AuthorizationRules. */
  readonly nested: Readonly<Record<string, unknown>>;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The described entity of an entry, or undefined when the text is no such entry. */
export function readEntry(text: string): AtomContent | undefined {
  let document: unknown;
  try {
    document = parser.parse(text, true);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
  const entry = isMap(document) ? document['entry'] : undefined;
  const content = isMap(entry) ? entry['content'] : undefined;
  if (!isMap(content)) return undefined;
  const [name] = Object.keys(content);
  if (name === undefined) return undefined;
  const description = content[name];
  const fields = isMap(description) ? Object.entries(description) : [];
  return {
    name,
    fields: Object.fromEntries(fields.filter(([, value]) => typeof value === 'string')) as Record<
      string,
      string
    >,
    nested: Object.fromEntries(fields.filter(([, value]) => typeof value !== 'string')),
  };
}

/** What an action of the administration interface works with. */
export interface AdminRequest {
  readonly namespace: Namespace;
  readonly namespaceName: string;
  readonly nowMs: number;
  /** Scheme, host and port as the client named them. */
  readonly baseUrl: string;
  /** Decoded, without slashes at its ends. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  /** True when the client expects the entity to exist (If-Match: *). */
  readonly mustExist: boolean;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type AdminAction = (request: AdminRequest) => Promise<AdminResponse>;

const ATOM_TYPE = 'application/atom+xml;type=entry;charset=utf-8';
const XML_TYPE = 'application/xml;charset=utf-8';

export function atom(status: number, body: string): AdminResponse {
  return { status, contentType: ATOM_TYPE, body };
}

export function failure(status: number, detail: string): AdminResponse {
  return { status, contentType: XML_TYPE, body: writeError(status, detail) };
}

export function notFound(name: string): AdminResponse {
  return failure(404, `No service is hosted at the specified address: entity '${name}' is absent.`);
}
