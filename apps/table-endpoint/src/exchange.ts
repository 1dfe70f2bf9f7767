/** What passes between the parts of the endpoint: a request, who sent it, and its answer. */

import { AppError, type AppErrorCode } from '@tandem/core';
import {
  type Access,
  checkGrant,
  type EntityFormat,
  type Grant,
  type MetadataLevel,
  TableError,
  type TableErrorCode,
  type TableUrl,
} from '@tandem/table-protocol';
import type { ServedTables } from './served-tables.ts';

export interface EndpointRequest {
  readonly method: string;
  /** Holds path and query as they came. */
  readonly target: string;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** Address of the caller. */
  readonly ip: string;
  readonly isHttps: boolean;
}

/** A request of which the headers are there, and the body may still be on its way. */
export interface IncomingRequest extends Omit<EndpointRequest, 'body'> {
  /** As a text, or what reads it: that is asked once it is known who sends it. */
  readonly body: string | (() => Promise<string>);
  /** Names a header that means one thing and stands there twice. */
  readonly repeated?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** What a request may do: all of the account, or what it was granted. */
export type Permit = { readonly kind: 'owner' } | Grant;

/** What the answers to one request are made of. */
export interface Context {
  readonly request: EndpointRequest;
  readonly url: TableUrl;
  readonly permit: Permit;
  readonly tables: ServedTables;
  /** How much an answer says beside the values. */
  readonly level: MetadataLevel;
  /** Address of the service as the client wrote it, without a slash at its end. */
  readonly base: string;
  readonly requestId: string;
}

/** The type of an answer in JSON, by how much it says. */
export const JSON_TYPES: Readonly<Record<MetadataLevel, string>> = {
  none: 'application/json;odata=nometadata;streaming=true;charset=utf-8',
  minimal: 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8',
  full: 'application/json;odata=fullmetadata;streaming=true;charset=utf-8',
};

/** Throws the service's own error where the caller may not do what it asks. */
export function checkPermit(permit: Permit, access: Access): void {
  if (permit.kind !== 'owner') checkGrant(permit, access);
}

/** Returns how the entities of a table are written, with `select` as it was asked for. */
export function formatOf(
  context: Context,
  table: string,
  select?: ReadonlySet<string>,
): EntityFormat {
  const { level, base, url } = context;
  return { level, base, account: url.account, table, select };
}

const NO_CONTENT = 'return-no-content';

/** Tells what the client asks the answer to an insertion to hold; by default what was inserted. */
export function preferenceOf(headers: EndpointRequest['headers']): {
  readonly isContentWanted: boolean;
  readonly applied: Readonly<Record<string, string>>;
} {
  const { prefer } = headers;
  const isContentWanted = prefer !== NO_CONTENT;
  const isApplied = prefer === NO_CONTENT || prefer === 'return-content';
  return { isContentWanted, applied: isApplied ? { 'Preference-Applied': prefer } : {} };
}

type Asking = Pick<EndpointRequest, 'headers' | 'target'>;

/** A client names the format it wants in the query, or in a header; without either it takes what there is. */
export function formatAskedFor({ headers, target }: Asking): string {
  const named = /[?&](?:\$|%24)format=([^&]*)/i.exec(target)?.[1];
  return named ?? headers['accept'] ?? '';
}

/** Returns how much an answer says beside the values. */
export function levelOf(request: Asking): MetadataLevel {
  const wanted = formatAskedFor(request);
  if (wanted.includes('fullmetadata')) return 'full';
  return wanted.includes('nometadata') ? 'none' : 'minimal';
}

/** Returns what an error says of itself beside its sentence. */
export function errorFacts(requestId: string, nowMs: number): { requestId: string; time: string } {
  return { requestId, time: `${new Date(nowMs).toISOString().slice(0, -1)}0000Z` };
}

/**
 * Returns what a client is told: trouble with the region's own account is never the client's, so it is asked to
 * come again; where nobody knows whether a write happened, it is told that, and repeats it.
 */
export function toTableError(error: unknown): TableError {
  if (error instanceof TableError) return error;
  if (!(error instanceof AppError)) return new TableError('InternalError');
  const code = codeOf(error);
  const told = isOfCaller(code) ? new TableError(code, error.message) : new TableError(code);
  const { index } = error.details;
  return typeof index === 'number' ? told.ofOperation(index) : told;
}

/** What is wrong inside is said in the log alone. */
function isOfCaller(code: TableErrorCode): boolean {
  return code !== 'ServerBusy' && code !== 'OperationTimedOut' && code !== 'TableNotFound';
}

function codeOf({ code, details }: AppError): TableErrorCode {
  switch (code) {
    case 'TABLE_OUTCOME_UNKNOWN':
      return 'OperationTimedOut';
    case 'TABLE_NOT_FOUND':
      return 'TableNotFound';
    case 'CURSOR_INVALID':
    case 'TRANSACTION_INVALID':
    case 'TABLE_REQUEST_INVALID':
      return 'InvalidInput';
    case 'ENTITY_INVALID':
      return codeOfInvalid(details);
    case 'TABLE_LIMIT_EXCEEDED':
      return LIMITS[String(details['reason'])] ?? 'EntityTooLarge';
    default:
      return 'ServerBusy';
  }
}

/** Keys are told by how long they are together, or by which of them holds what no key may hold. */
function codeOfInvalid(details: AppError['details']): TableErrorCode {
  if (typeof details['length'] === 'number') return 'KeyValueTooLarge';
  return typeof details['name'] === 'string' ? 'OutOfRangeInput' : 'InvalidInput';
}

/** By why no region would take the row. */
const LIMITS: Readonly<Record<string, TableErrorCode>> = {
  FIELD_TOO_LARGE: 'PropertyValueTooLarge',
  FIELD_UNKNOWN: 'TooManyProperties',
  FIELD_RESERVED: 'PropertyNameInvalid',
} satisfies Partial<Record<AppErrorCode, TableErrorCode>>;
