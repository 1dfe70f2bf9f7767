import { isTableName } from '@tandem/core';
import { TableError } from './table-error.ts';

/** What an address of the service names. */
export type Resource =
  | { readonly kind: 'service' }
  /** Is `/Tables`: all of them. */
  | { readonly kind: 'tables' }
  /** Is `/Tables('T')`: one, as an entry of that list. */
  | { readonly kind: 'table'; readonly table: string }
  /** Is `/T` or `/T()`. */
  | { readonly kind: 'entities'; readonly table: string }
  | {
      readonly kind: 'entity';
      readonly table: string;
      readonly partitionKey: string;
      readonly rowKey: string;
    }
  /** `/T/x`: nothing that the service has, but an insertion there is taken for one into the table. */
  | { readonly kind: 'beneath'; readonly table: string }
  | { readonly kind: 'batch' };

export interface TableUrl {
  readonly account: string;
  /** Tells whether the read-only address of the other region was asked. */
  readonly isSecondary: boolean;
  readonly resource: Resource;
  /** Holds each name once. */
  readonly query: ReadonlyMap<string, string>;
  /** As it came, which is how it was signed. */
  readonly path: string;
}

export interface UrlStyle {
  /** The account where the host names it; undefined where the first segment of the path does. */
  readonly account?: string | undefined;
  readonly isSecondary?: boolean;
}

/** The service's own limit of an address. */
const URL_LENGTH_MAX = 65_536;

const SECONDARY = '-secondary';

/** Returns the account that a name in an address stands for: its own, or that of its read-only address. */
export function accountNamedBy(name: string): {
  readonly account: string;
  readonly isSecondary: boolean;
} {
  const isSecondary = name.endsWith(SECONDARY);
  return { account: isSecondary ? name.slice(0, -SECONDARY.length) : name, isSecondary };
}

/** Returns the name under which an account stands in an address: the inverse of `accountNamedBy`. */
export function nameOfAccount(account: string, isSecondary: boolean): string {
  return isSecondary ? account + SECONDARY : account;
}

/**
 * Reads the target of a request, unparsed: a key may hold what other parsers take for structure. Throws
 * `InvalidUri` for what names nothing, and `InvalidQueryParameterValue` for a name that stands twice.
 */
export function parseTableUrl(target: string, style: UrlStyle = {}): TableUrl {
  if (target.length > URL_LENGTH_MAX) {
    throw new TableError('InvalidUri', `It is longer than ${URL_LENGTH_MAX} characters.`);
  }
  const [path = '', ...rest] = target.split('?');
  const query = parseQuery(rest.join('?'));
  if (!path.startsWith('/')) throw new TableError('InvalidUri');
  if (style.account !== undefined) {
    const { account, isSecondary = false } = style;
    const resource = parseResource(path.slice(1), account);
    return { account, isSecondary, resource, query, path };
  }
  const slash = path.indexOf('/', 1);
  const { account, isSecondary } = accountNamedBy(
    decode(path.slice(1, slash < 0 ? undefined : slash)),
  );
  const resource = parseResource(slash < 0 ? '' : path.slice(slash + 1), account);
  return { account, isSecondary, resource, query, path };
}

function parseQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const part of text.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    // Which of two signatures holds is not for the server to choose.
    if (query.has(name) && name === 'sig') throw new TableError('AuthenticationFailed');
    if (query.has(name)) {
      throw new TableError('InvalidQueryParameterValue', `"${name.slice(0, 40)}" is given twice.`);
    }
    query.set(name, equals < 0 ? '' : decode(part.slice(equals + 1).replaceAll('+', ' ')));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TableError('InvalidUri', 'A percent sign in it begins no character of UTF-8.');
  }
}

const BENEATH = /^(?<name>(?!tables\/|\$)[^()/]+)\/[^()/]+(?<keys>\(.+\))?$/is;
const NAMED = /^(?<name>[^()/]*)(?:\((?<inner>.*)\))?\/?$/s;
/** The service's own pages write a blank behind the comma. */
const KEYS =
  /^(?:PartitionKey='(?<first>(?:[^']|'')*)'\s*,\s*RowKey='(?<second>(?:[^']|'')*)'|RowKey='(?<row>(?:[^']|'')*)'\s*,\s*PartitionKey='(?<partition>(?:[^']|'')*)')$/s;
const TABLE = /^'(?<name>[^']*)'$/;

function parseResource(encoded: string, account: string): Resource {
  if (encoded === '') return { kind: 'service' };
  const text = decode(encoded);
  if (/^\$batch\/?$/.test(text)) return { kind: 'batch' };
  const beneath = BENEATH.exec(text)?.groups;
  if (beneath !== undefined) return parseBeneath(beneath, account);
  const groups = NAMED.exec(text)?.groups;
  const name = groups?.['name'];
  if (name === undefined || name === '') throw new TableError('InvalidUri');
  const inner = groups?.['inner']?.trim() ?? '';
  // The service takes this one name in any case.
  if (name.toLowerCase() === 'tables') {
    if (inner === '') return { kind: 'tables' };
    const table = TABLE.exec(inner)?.groups?.['name'];
    if (table === undefined) throw new TableError('InvalidUri');
    return { kind: 'table', table };
  }
  if (inner === '') return { kind: 'entities', table: name };
  const keys = KEYS.exec(inner)?.groups;
  if (keys === undefined) {
    throw new TableError('InvalidUri', "An entity is named as (PartitionKey='..',RowKey='..').");
  }
  const partitionKey = unquoted(keys['first'] ?? keys['partition']);
  const rowKey = unquoted(keys['second'] ?? keys['row']);
  return { kind: 'entity', table: name, partitionKey, rowKey };
}

/** A client whose endpoint ends with the name of a table asks there for tables. */
function parseBeneath({ name: table = '', keys }: Groups, account: string): Resource {
  if (keys === undefined) return { kind: 'beneath', table };
  const sentence = `The number of keys specified in the URI does not match number of key properties for the resource '${account}.${table}'.`;
  throw TableError.saying('InvalidInput', sentence);
}

type Groups = Readonly<Record<string, string | undefined>>;

function unquoted(key = ''): string {
  return key.replaceAll("''", "'");
}

/** Throws `InvalidResourceName` for a text that can name no table: the list of tables has one of these names. */
export function checkTableName(name: string): void {
  if (isTableName(name) && name.toLowerCase() !== 'tables') return;
  throw new TableError(
    'InvalidResourceName',
    'A table has 3 to 63 letters and digits, a letter first, and is not called "tables".',
  );
}
