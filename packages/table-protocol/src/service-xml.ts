/** The documents that the service speaks in XML: who a table lets in, how the service is set, how its twin is. */
import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';
import { readAccessTimeMs } from './shared-access.ts';
import { TableError, XML_DECLARATION } from './table-error.ts';

/** A stored policy as a table keeps it under an id. */
export interface SignedIdentifier {
  readonly id: string;
  readonly start?: string;
  readonly expiry?: string;
  readonly permissions?: string;
}

/** Bounds the policies of one table. */
const SIGNED_IDENTIFIERS_MAX = 5;
/** In UTF-16 units. */
const ID_LENGTH_MAX = 64;

export interface CorsRule {
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

const CORS_RULES_MAX = 5;
/** Bounds all rules together, in UTF-16 units without their tags, as the service documents it. */
const CORS_LENGTH_MAX = 2_048;

/** Logging and metrics are kept as they were set and do nothing. */
export interface ServiceProperties {
  readonly logging?: unknown;
  readonly hourMetrics?: unknown;
  readonly minuteMetrics?: unknown;
  readonly cors?: readonly CorsRule[];
}

/** Everything is text, so that no id that looks like a number is changed. */
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: true,
  isArray: (name) => name === 'SignedIdentifier' || name === 'CorsRule',
});
const builder = new XMLBuilder({ suppressEmptyNode: true });

type Node = Readonly<Record<string, unknown>>;

/** A document with a type of its own could define names that grow without end. */
function parse(xml: string, root: string): Node {
  const text = xml.replace(/^\uFEFF/, '');
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) {
    throw new TableError('InvalidXmlDocument');
  }
  const document = read(text);
  if (!Object.hasOwn(document, root)) {
    throw new TableError('InvalidXmlDocument', `Its root is <${root}>.`);
  }
  return nodeOf(document[root]);
}

/** The parser throws for what is nested deeper than its own limit of a hundred. */
function read(text: string): Node {
  try {
    return parser.parse(text) as Node;
  } catch (error) {
    throw new TableError('InvalidXmlDocument', String(error));
  }
}

function nodeOf(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function listOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(nodeOf) : [];
}

/** Throws `InvalidXmlDocument` for what is no list of policies, or one beyond its limits. */
export function parseAcl(xml: string): readonly SignedIdentifier[] {
  const nodes = listOf(parse(xml, 'SignedIdentifiers')['SignedIdentifier']);
  if (nodes.length > SIGNED_IDENTIFIERS_MAX) {
    throw invalid(`A table has at most ${SIGNED_IDENTIFIERS_MAX} policies.`);
  }
  const identifiers = nodes.map(toIdentifier);
  if (new Set(identifiers.map(({ id }) => id)).size < identifiers.length) {
    throw invalid('Each policy has an id of its own.');
  }
  return identifiers;
}

function toIdentifier(node: Node): SignedIdentifier {
  const id = textOf(node['Id']);
  if (id === undefined || id.length > ID_LENGTH_MAX) {
    throw invalid(`A policy has an id of 1 to ${ID_LENGTH_MAX} characters.`);
  }
  const policy = nodeOf(node['AccessPolicy']);
  const [start, expiry, permissions] = ['Start', 'Expiry', 'Permission'].map((name) =>
    textOf(policy[name]),
  );
  if (permissions !== undefined && !/^[raud]{1,4}$/.test(permissions)) {
    throw invalid('The permissions of a policy are some of r, a, u and d.');
  }
  for (const time of [start, expiry]) {
    // What no signature could be judged by later must not be kept now.
    if (time !== undefined && readAccessTimeMs(time) === undefined)
      throw invalid('A time of a policy is not one of ISO 8601 in UTC, or there is no such day.');
  }
  return {
    id,
    ...(start !== undefined && { start }),
    ...(expiry !== undefined && { expiry }),
    ...(permissions !== undefined && { permissions }),
  };
}

export function encodeAcl(identifiers: readonly SignedIdentifier[]): string {
  const nodes = identifiers.map(({ id, start, expiry, permissions }) => ({
    Id: id,
    AccessPolicy: { Start: start, Expiry: expiry, Permission: permissions },
  }));
  return build({ SignedIdentifiers: { SignedIdentifier: nodes } });
}

/** Throws `InvalidXmlDocument` for what are no properties of the service, or rules beyond their limits. */
export function parseServiceProperties(xml: string): ServiceProperties {
  const root = parse(xml, 'StorageServiceProperties');
  const properties: Record<string, unknown> = {};
  for (const [element, name] of SETTINGS) if (element in root) properties[name] = root[element];
  if (!('Cors' in root)) return properties;
  const rules = listOf(nodeOf(root['Cors'])['CorsRule']);
  if (rules.length > CORS_RULES_MAX)
    throw invalid(`There are at most ${CORS_RULES_MAX} CORS rules.`);
  const length = rules.flatMap((rule) => Object.values(rule)).join('').length;
  if (length > CORS_LENGTH_MAX) {
    throw invalid(`All CORS rules together have at most ${CORS_LENGTH_MAX} characters.`);
  }
  return { ...properties, cors: rules.map(toCorsRule) };
}

const SETTINGS = [
  ['Logging', 'logging'],
  ['HourMetrics', 'hourMetrics'],
  ['MinuteMetrics', 'minuteMetrics'],
] as const;

const METHODS: ReadonlySet<string> = new Set([
  'DELETE',
  'GET',
  'HEAD',
  'MERGE',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
]);

function toCorsRule(node: Node): CorsRule {
  const [origins, methods, allowedHeaders, exposedHeaders] = [
    'AllowedOrigins',
    'AllowedMethods',
    'AllowedHeaders',
    'ExposedHeaders',
  ].map((name) => splitList(node[name]));
  // They become headers of answers, so one that no header may hold would fail every request of a page.
  if (![...(allowedHeaders ?? []), ...(exposedHeaders ?? [])].every((name) => HEADER.test(name))) {
    throw invalid('The headers of a CORS rule are names of headers, or begin one and end in "*".');
  }
  const maxAge = textOf(node['MaxAgeInSeconds']) ?? '0';
  if (!origins?.length || !methods?.length || !methods.every((method) => METHODS.has(method))) {
    throw invalid('A CORS rule names its origins, and methods of HTTP.');
  }
  if (!/^\d{1,9}$/.test(maxAge)) throw invalid('The age of a CORS rule is a number of seconds.');
  return {
    origins,
    methods,
    allowedHeaders: allowedHeaders ?? [],
    exposedHeaders: exposedHeaders ?? [],
    maxAgeSeconds: Number(maxAge),
  };
}

/** A name as RFC 9110 has it, which may end in the star of a prefix. */
const HEADER = /^[\w!#$%&'*+.^`|~-]+$/;

function splitList(value: unknown): readonly string[] {
  const parts = (textOf(value) ?? '').split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

const RETENTION_OFF = { RetentionPolicy: { Enabled: 'false' } };
const LOGGING_OFF = {
  Version: '1.0',
  Delete: 'false',
  Read: 'false',
  Write: 'false',
  ...RETENTION_OFF,
};
const METRICS_OFF = { Version: '1.0', Enabled: 'false', ...RETENTION_OFF };

/** The service writes settings in this order, whatever order they were sent in. */
const ORDER: readonly string[] = [
  'Version',
  'Read',
  'Write',
  'Delete',
  'Enabled',
  'IncludeAPIs',
  'Days',
  'RetentionPolicy',
];

function ordered(settings: unknown): unknown {
  if (typeof settings !== 'object' || settings === null) return settings;
  const node = settings as Node;
  const known = ORDER.filter((name) => Object.hasOwn(node, name));
  const names = new Set([...known, ...Object.keys(node)]);
  return Object.fromEntries([...names].map((name) => [name, ordered(node[name])]));
}

export function encodeServiceProperties(properties: ServiceProperties): string {
  const rules = (properties.cors ?? []).map((rule) => ({
    AllowedOrigins: rule.origins.join(','),
    AllowedMethods: rule.methods.join(','),
    MaxAgeInSeconds: String(rule.maxAgeSeconds),
    ExposedHeaders: rule.exposedHeaders.join(','),
    AllowedHeaders: rule.allowedHeaders.join(','),
  }));
  return build({
    StorageServiceProperties: {
      Logging: ordered(properties.logging ?? LOGGING_OFF),
      HourMetrics: ordered(properties.hourMetrics ?? METRICS_OFF),
      MinuteMetrics: ordered(properties.minuteMetrics ?? METRICS_OFF),
      Cors: { CorsRule: rules },
    },
  });
}

export interface GeoReplication {
  readonly status: 'live' | 'bootstrap' | 'unavailable';
  /** Everything written before is in the other region; absent where that is not known. */
  readonly lastSyncTime?: Date;
}

export function encodeServiceStats({ status, lastSyncTime }: GeoReplication): string {
  const time = lastSyncTime?.toUTCString() ?? '';
  const GeoReplication = { Status: status, LastSyncTime: time };
  return build({ StorageServiceStats: { GeoReplication } });
}

/** The service begins its documents with a byte order mark. */
function build(document: object): string {
  return `\uFEFF${XML_DECLARATION}${builder.build(document)}`;
}

export interface Preflight {
  readonly origin: string;
  readonly method: string;
  /** Are names, without regard to case. */
  readonly headers: readonly string[];
}

/** Returns the first rule that lets a page of another origin send such a request, or undefined. */
export function findCorsRule(
  rules: readonly CorsRule[],
  { origin, method, headers }: Preflight,
): CorsRule | undefined {
  return rules.find(
    ({ origins, methods, allowedHeaders }) =>
      (origins.includes('*') || origins.includes(origin)) &&
      methods.includes(method) &&
      headers.every((header) => allowedHeaders.some((allowed) => isNamed(header, allowed))),
  );
}

/** A rule names a header whole, or by how it begins, with a star behind. */
function isNamed(header: string, allowed: string): boolean {
  const [name, pattern] = [header.trim().toLowerCase(), allowed.toLowerCase()];
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function invalid(detail: string): TableError {
  return new TableError('InvalidXmlDocument', detail);
}
