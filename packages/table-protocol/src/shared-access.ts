/**
 * Who may do what: whoever signs the request with a key of the account may do all of it; whoever has no key, what a
 * shared access signature says. One of an account covers kinds of resources; one of a table covers that table, or a range
 * of its keys, by its own word or a stored policy's.
 */

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { readInstantMs } from '@tandem/core';
import { nameOfAccount } from './request-url.ts';
import { TableError } from './table-error.ts';

/** An account's name with the keys that sign for it; two, so that one can be changed while the other serves. */
export interface AccountKeys {
  readonly account: string;
  /** Are in base64. */
  readonly keys: readonly string[];
}

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** As it came: with the account first where the path names it, percent-encoded. */
  readonly path: string;
  readonly comp: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** A request older or newer than this is refused, so that one that was overheard cannot be sent for ever. */
const DATE_WINDOW_MS = 15 * 60_000;

const AUTHORIZATION = /^(SharedKey|SharedKeyLite) ([^:\s]+):([A-Za-z0-9+/]+={0,2})$/;

/**
 * Passes where the `Authorization` header was made with one of the account's keys. Throws
 * `InvalidAuthenticationInfo` for a header that is none and `AuthenticationFailed` for a wrong signature,
 * account or time.
 */
export function verifySharedKey(
  request: SignedRequest,
  { account, keys }: AccountKeys,
  nowMs: number,
): void {
  const match = AUTHORIZATION.exec(request.headers['authorization'] ?? '');
  if (match === null) throw new TableError('InvalidAuthenticationInfo');
  const [, scheme, signer, signature = ''] = match;
  if (signer !== account) throw new TableError('AuthenticationFailed');
  const date = request.headers['x-ms-date'] ?? request.headers['date'] ?? '';
  checkDate(date, nowMs);
  const texts = resourcesOf(request, account).map((resource) =>
    scheme === 'SharedKeyLite'
      ? `${date}\n${resource}`
      : `${request.method}\n${request.headers['content-md5'] ?? ''}\n${request.headers['content-type'] ?? ''}\n${date}\n${resource}`,
  );
  if (!texts.some((text) => isSignedBy(keys, text, signature))) {
    throw new TableError('AuthenticationFailed');
  }
}

function checkDate(date: string, nowMs: number): void {
  const time = Date.parse(date);
  if (!Number.isNaN(time) && Math.abs(time - nowMs) <= DATE_WINDOW_MS) return;
  const detail = `The date of the request is not within ${DATE_WINDOW_MS / 60_000} minutes of this server's.`;
  throw new TableError('AuthenticationFailed', detail);
}

/** Clients that turn to the secondary address sign either that address or the first one's. */
function resourcesOf({ path, comp }: SignedRequest, account: string): readonly string[] {
  const suffix = comp === undefined ? '' : `?comp=${comp}`;
  const own = `/${account}${path}${suffix}`;
  const secondary = `/${nameOfAccount(account, true)}`;
  if (path !== secondary && !path.startsWith(`${secondary}/`)) return [own];
  return [own, `/${account}/${account}${path.slice(secondary.length)}${suffix}`];
}

/** Tells, in a time that does not depend on how much is right, whether one of the keys signed a text. */
function isSignedBy(keys: readonly string[], text: string, signature: string): boolean {
  const given = Buffer.from(signature, 'base64');
  let isSigned = false;
  for (const secret of secretsOf(keys)) {
    const expected = createHmac('sha256', secret).update(text, 'utf8').digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) isSigned = true;
  }
  return isSigned;
}

/** A key is prepared once, for as long as its account is known: that took as long as to sign. */
const prepared = new WeakMap<readonly string[], readonly KeyObject[]>();

function secretsOf(keys: readonly string[]): readonly KeyObject[] {
  const known = prepared.get(keys);
  if (known !== undefined) return known;
  const secrets = keys
    .map((key) => Buffer.from(key, 'base64'))
    // A key that was left empty is everybody's.
    .filter(({ length }) => length > 0)
    .map((key) => createSecretKey(key));
  prepared.set(keys, secrets);
  return secrets;
}

export type TableOperation =
  | 'getServiceProperties'
  | 'setServiceProperties'
  | 'getServiceStats'
  | 'queryTables'
  | 'createTable'
  | 'deleteTable'
  | 'getTableAcl'
  | 'setTableAcl'
  | 'queryEntities'
  | 'insertEntity'
  | 'updateEntity'
  | 'upsertEntity'
  | 'deleteEntity';

/** What a signature that holds allows. */
export type Grant =
  | {
      readonly kind: 'account';
      readonly permissions: string;
      readonly resourceTypes: string;
    }
  | {
      readonly kind: 'table';
      readonly permissions: string;
      /** Is in lower case. */
      readonly table: string;
      readonly range: TableRange;
    };

/** Rows from (startPartition, startRow) to (endPartition, endRow), both included; absent where open. */
export interface TableRange {
  readonly startPartition?: string;
  readonly startRow?: string;
  readonly endPartition?: string;
  readonly endRow?: string;
}

/** What a table's owner keeps under an id, so that what was granted can be changed or taken back. */
export interface StoredPolicy {
  readonly start?: string | undefined;
  readonly expiry?: string | undefined;
  readonly permissions?: string | undefined;
}

export interface AccessRequest {
  readonly query: ReadonlyMap<string, string>;
  /** Address of the caller. */
  readonly ip: string;
  readonly isHttps: boolean;
  readonly nowMs: number;
  /** Finds a policy of the table that the signature names; undefined where the table has none of that id. */
  readonly policyOf: (table: string, id: string) => StoredPolicy | undefined;
}

/** Tells whether a request carries a signature in its query. */
export function hasSharedAccess(query: ReadonlyMap<string, string>): boolean {
  return query.has('sig');
}

/**
 * Returns what the signature of a request allows. Throws `AuthenticationFailed` for one that is not the
 * account's, not in force or malformed, and the service's own errors for a wrong address or protocol.
 */
export function verifySharedAccess(request: AccessRequest, account: AccountKeys): Grant {
  const { query } = request;
  const isOfAccount = query.has('ss') || query.has('srt');
  const text = isOfAccount ? accountText(query, account) : tableText(query, account);
  // A base64 text has no spaces: they were plus signs that nobody encoded.
  const signature = (query.get('sig') ?? '').replaceAll(' ', '+');
  if (!isSignedBy(account.keys, text, signature)) throw failed('The signature does not match.');
  checkSource(request);
  if (isOfAccount) return accountGrant(request);
  return tableGrant(request);
}

/** From this version on the text has a line for an encryption scope. */
const ENCRYPTION_SCOPE_SINCE = '2020-12-06';
/** From this version on the text has lines for addresses and protocols. */
const SOURCES_SINCE = '2015-04-05';
/** From this version on the resource begins with the service's name. */
const SERVICE_NAME_SINCE = '2015-02-21';
const OLDEST_VERSION = '2012-02-12';

function versionOf(query: ReadonlyMap<string, string>): string {
  const version = query.get('sv') ?? '';
  if (!/^\d{4}-\d{2}-\d{2}$/.test(version) || version < OLDEST_VERSION) {
    throw failed(`The signature's version is ${OLDEST_VERSION} or later.`);
  }
  return version;
}

function accountText(query: ReadonlyMap<string, string>, { account }: AccountKeys): string {
  const version = versionOf(query);
  const names = ['sp', 'ss', 'srt', 'st', 'se', 'sip', 'spr', 'sv'];
  if (version >= ENCRYPTION_SCOPE_SINCE) names.push('ses');
  return [account, ...names.map((name) => query.get(name) ?? ''), ''].join('\n');
}

function tableText(query: ReadonlyMap<string, string>, { account }: AccountKeys): string {
  const version = versionOf(query);
  const table = (query.get('tn') ?? '').toLowerCase();
  const service = version >= SERVICE_NAME_SINCE ? '/table' : '';
  const sources = version >= SOURCES_SINCE ? ['sip', 'spr'] : [];
  const value = (name: string): string => query.get(name) ?? '';
  return [
    ...['sp', 'st', 'se'].map(value),
    `${service}/${account}/${table}`,
    ...['si', ...sources, 'sv', 'spk', 'srk', 'epk', 'erk'].map(value),
  ].join('\n');
}

function checkSource({ query, ip, isHttps }: AccessRequest): void {
  const protocols = query.get('spr');
  if (protocols !== undefined && protocols !== 'https' && protocols !== 'https,http') {
    throw failed('The protocols of a signature are "https" or "https,http".');
  }
  if (protocols === 'https' && !isHttps) throw new TableError('AuthorizationProtocolMismatch');
  const range = query.get('sip');
  if (range !== undefined && !isWithin(ip, range)) {
    throw new TableError('AuthorizationSourceIPMismatch');
  }
}

function isWithin(ip: string, range: string): boolean {
  const [first = '', last = first, ...rest] = range.split('-');
  const [own, from, to] = [ip.replace(/^::ffff:/i, ''), first, last].map(numberOfIp);
  if (rest.length > 0 || own === undefined || from === undefined || to === undefined) return false;
  return own >= from && own <= to;
}

function numberOfIp(text: string): number | undefined {
  const parts = text.split('.');
  const isIp =
    parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return isIp ? parts.reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}

function checkTimes(start: string | undefined, expiry: string | undefined, nowMs: number): void {
  const from = start === undefined ? Number.NEGATIVE_INFINITY : parseTime(start);
  if (expiry === undefined) throw failed('The signature has no time of expiry.');
  if (nowMs < from || nowMs > parseTime(expiry)) throw failed('The signature is not in force now.');
}

const TIME = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2}(?:\.\d{1,7})?)?Z)?$/;

/** Reads the time of a signature or a policy, in milliseconds; undefined for what is none, and for a day that does not exist. */
export function readAccessTimeMs(text: string): number | undefined {
  const [, day, minute = '00:00', second = ':00'] = TIME.exec(text) ?? [];
  return day === undefined ? undefined : readInstantMs(`${day}T${minute}${second}Z`);
}

function parseTime(text: string): number {
  const timeMs = readAccessTimeMs(text);
  if (timeMs !== undefined) return timeMs;
  throw failed('A time of the signature is not one of ISO 8601 in UTC, or there is no such day.');
}

function accountGrant({ query, nowMs }: AccessRequest): Grant {
  checkTimes(query.get('st'), query.get('se'), nowMs);
  if (!(query.get('ss') ?? '').includes('t')) throw new TableError('AuthorizationServiceMismatch');
  const permissions = query.get('sp') ?? '';
  return { kind: 'account', permissions, resourceTypes: query.get('srt') ?? '' };
}

function tableGrant({ query, nowMs, policyOf }: AccessRequest): Grant {
  const table = (query.get('tn') ?? '').toLowerCase();
  if (table === '') throw failed('The signature names no table.');
  const id = query.get('si');
  const policy = id === undefined ? {} : policyOf(table, id);
  if (policy === undefined) throw failed('The signature names a policy that the table has not.');
  checkTimes(
    oneOf(query.get('st'), policy.start, 'start'),
    oneOf(query.get('se'), policy.expiry, 'expiry'),
    nowMs,
  );
  const permissions = oneOf(query.get('sp'), policy.permissions, 'permissions') ?? '';
  return { kind: 'table', permissions, table, range: rangeOf(query) };
}

/** The service refuses what both the signature and its policy say. */
function oneOf(
  own: string | undefined,
  stored: string | undefined,
  what: string,
): string | undefined {
  if (own !== undefined && own !== '' && stored !== undefined && stored !== '') {
    throw failed(`Both the signature and its policy give its ${what}.`);
  }
  return own || stored || undefined;
}

function rangeOf(query: ReadonlyMap<string, string>): TableRange {
  const [startPartition, startRow, endPartition, endRow] = ['spk', 'srk', 'epk', 'erk'].map(
    (name) => query.get(name),
  );
  if (startRow !== undefined && startPartition === undefined) throw failed('"srk" needs "spk".');
  if (endRow !== undefined && endPartition === undefined) throw failed('"erk" needs "epk".');
  return {
    ...(startPartition !== undefined && { startPartition }),
    ...(startRow !== undefined && { startRow }),
    ...(endPartition !== undefined && { endPartition }),
    ...(endRow !== undefined && { endRow }),
  };
}

interface Need {
  readonly resourceType: 's' | 'c' | 'o';
  /** Each of these holds permissions of which one is enough. */
  readonly permissions: readonly (readonly string[])[];
}

/** Undefined where no signature is enough, only a key or a token. */
const ACCOUNT_NEEDS: Readonly<Record<TableOperation, Need | undefined>> = {
  getServiceProperties: { resourceType: 's', permissions: [['r']] },
  setServiceProperties: { resourceType: 's', permissions: [['w']] },
  getServiceStats: { resourceType: 's', permissions: [['r']] },
  queryTables: { resourceType: 'c', permissions: [['l']] },
  createTable: { resourceType: 'c', permissions: [['c', 'w']] },
  deleteTable: { resourceType: 'c', permissions: [['d']] },
  getTableAcl: undefined,
  setTableAcl: undefined,
  queryEntities: { resourceType: 'o', permissions: [['r']] },
  insertEntity: { resourceType: 'o', permissions: [['a']] },
  updateEntity: { resourceType: 'o', permissions: [['u']] },
  upsertEntity: { resourceType: 'o', permissions: [['a'], ['u']] },
  deleteEntity: { resourceType: 'o', permissions: [['d']] },
};

export interface Access {
  readonly operation: TableOperation;
  /** As the address spells it; undefined where the operation is of the whole service. */
  readonly table?: string;
  /** Keys of the row, for what touches one. */
  readonly row?: readonly [partitionKey: string, rowKey: string];
}

/** Passes where the grant covers an operation. Throws the service's own error where it does not. */
export function checkGrant(grant: Grant, { operation, table, row }: Access): void {
  const need = ACCOUNT_NEEDS[operation];
  if (need === undefined) throw new TableError('AuthorizationFailure');
  if (grant.kind === 'account') {
    if (!grant.resourceTypes.includes(need.resourceType)) {
      throw new TableError('AuthorizationResourceTypeMismatch');
    }
  } else {
    const isOther = need.resourceType !== 'o' || table?.toLowerCase() !== grant.table;
    if (isOther) throw new TableError('AuthorizationFailure');
    if (row !== undefined && !isInRange(grant.range, row)) {
      // The service says of a row that may not be read that there is none.
      throw new TableError(isRead(operation) ? 'ResourceNotFound' : 'AuthorizationFailure');
    }
  }
  const isAllowed = need.permissions.every((anyOf) =>
    anyOf.some((permission) => grant.permissions.includes(permission)),
  );
  if (!isAllowed) throw new TableError('AuthorizationPermissionMismatch');
}

function isRead(operation: TableOperation): boolean {
  return operation === 'queryEntities';
}

/** Tells whether a row lies within a range, by partition first, then by row. */
export function isInRange(
  { startPartition, startRow, endPartition, endRow }: TableRange,
  [partitionKey, rowKey]: readonly [partitionKey: string, rowKey: string],
): boolean {
  if (startPartition !== undefined && partitionKey < startPartition) return false;
  if (endPartition !== undefined && partitionKey > endPartition) return false;
  const isTooEarly = partitionKey === startPartition && startRow !== undefined && rowKey < startRow;
  const isTooLate = partitionKey === endPartition && endRow !== undefined && rowKey > endRow;
  return !isTooEarly && !isTooLate;
}

function failed(detail: string): TableError {
  return new TableError('AuthenticationFailed', detail);
}
