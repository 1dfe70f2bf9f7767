import { decodeVector, encodeVector, type VersionVector } from '@tandem/core';
import type { WriteCondition } from '@tandem/storage';
import type { FastifyRequest } from 'fastify';
import { readPreferences } from '../consistency/preferences.ts';
import type { CustomerRecord, CustomerService } from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import { placeHolder } from '../plugins/auth.ts';
import type { ReadOnlyMembers } from '../routes/customers-schema.ts';
import type { Violation } from '../validation/validator.ts';

export interface PreconditionHeaders {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/** What a write asks for; undefined for nothing. Throws `precondition-malformed`. */
function writeCondition(headers: PreconditionHeaders): WriteCondition | undefined {
  const match = read(headers, 'if-match');
  const noneMatch = read(headers, 'if-none-match');
  if (match !== undefined && noneMatch !== undefined) {
    throw malformed('if-match', 'A write takes If-Match or If-None-Match, not both.');
  }
  if (noneMatch !== undefined) {
    if (noneMatch.kind === 'any') return { kind: 'absent' };
    throw malformed('if-none-match', 'On a write, If-None-Match takes nothing but *.');
  }
  if (match === undefined) return undefined;
  if (match.kind === 'any') return { kind: 'present' };
  // A weak tag never matches here: If-Match compares strongly.
  const strong = match.tags.filter((tag) => !tag.isWeak);
  return { kind: 'version', versions: strong.map((tag) => tag.value) };
}

/**
 * The same, of a write over what may be there. Throws `precondition-required` when there is none and
 * the region demands one.
 */
export function demandedCondition(
  headers: PreconditionHeaders,
  region: { isPreconditionRequired(): boolean },
): WriteCondition | undefined {
  const condition = writeCondition(headers);
  if (condition === undefined && region.isPreconditionRequired()) throw preconditionRequired();
  return condition;
}

/** On a path that takes no precondition: one that was not looked at must not seem to hold. */
export function refuseConditions(headers: PreconditionHeaders): void {
  for (const name of ['if-match', 'if-none-match'] as const) {
    if (headers[name] === undefined) continue;
    throw malformed(name, `A creation under a new id takes no ${name}: use PUT.`);
  }
}

export function preconditionRequired(): ProblemError {
  return new ProblemError('precondition-required', {
    detail:
      'This region takes no blind writes: send If-Match with the ETag that the change is based on, ' +
      'or, to create, If-None-Match: *.',
  });
}

const PACKED_SUFFIX = /(?:-|--|;)(?:gzip|br|brotli|deflate|zstd)$/;

/** Why If-Match can hold for no version at all, whatever the customer is; undefined when it can. */
export function whyNeverMatched(headers: PreconditionHeaders): string | undefined {
  const match = headers['if-match'] === undefined ? undefined : read(headers, 'if-match');
  if (match?.kind !== 'list') return undefined;
  const reasons = match.tags.map(whyNoTag);
  return reasons.every((reason) => reason !== undefined) ? reasons[0] : undefined;
}

function whyNoTag({ value, isWeak }: EntityTag): string | undefined {
  if (isWeak) {
    return (
      'If-Match compares strongly, and W/ makes a tag a weak one. Something on the way, a proxy that packs ' +
      'answers for example, has changed the ETag: send x-tandem-version in quotation marks instead.'
    );
  }
  if (PACKED_SUFFIX.test(value)) {
    return (
      'A proxy that packs answers has changed the ETag, as its end shows: send x-tandem-version in ' +
      'quotation marks instead.'
    );
  }
  return whyNoVersion(value);
}

/** Returns undefined for a version, and for none at all. */
export function whyNoVersion(version: string | undefined): string | undefined {
  return version === undefined || decodeVector(version) !== undefined
    ? undefined
    : 'It names no version that a customer can have: send an ETag or x-tandem-version as it came.';
}

export type ReadVerdict = 'send' | 'not-modified' | 'precondition-failed';

/** What a read of an existing customer answers with. Throws `precondition-malformed`. */
export function judgeRead(headers: PreconditionHeaders, version: VersionVector): ReadVerdict {
  const current = encodeVector(version);
  const match = read(headers, 'if-match');
  const noneMatch = read(headers, 'if-none-match');
  const isMatched =
    match === undefined ||
    match.kind === 'any' ||
    match.tags.some((tag) => !tag.isWeak && tag.value === current);
  if (!isMatched) return 'precondition-failed';
  const isKnown =
    noneMatch !== undefined &&
    (noneMatch.kind === 'any' || noneMatch.tags.some((tag) => tag.value === current));
  return isKnown ? 'not-modified' : 'send';
}

function read(
  headers: PreconditionHeaders,
  name: keyof PreconditionHeaders,
): EntityTags | undefined {
  const header = headers[name];
  if (header === undefined) return undefined;
  const tags = parseEntityTags(header);
  if (tags === undefined) throw malformed(name, `${name} takes * or a list of entity tags.`);
  return tags;
}

function malformed(name: keyof PreconditionHeaders, detail: string): ProblemError {
  const message = 'must be a precondition of RFC 9110, section 13.1';
  return new ProblemError('precondition-malformed', {
    detail,
    errors: [{ in: 'header', field: `/${name}`, rule: 'entity-tags', message }],
  });
}

interface Target {
  readonly customers: Pick<CustomerService, 'get'>;
  readonly customerId: string;
}

interface Agreement<T> {
  /** Returns the body without the members that no write sets. */
  readonly fields: Omit<T, keyof ReadOnlyMembers>;
  /** Holds only while what was sent is what is there. */
  readonly condition: WriteCondition | undefined;
}

/**
 * Takes what a read gave out of what is sent back: it must be that of the customer still. Throws
 * `read-only-differs` for another customer's id, and `precondition-failed` for a version or a reference that
 * is not the current one, naming it.
 */
export async function agreeOn<T extends ReadOnlyMembers>(
  body: T,
  { customers, customerId }: Target,
  condition: WriteCondition | undefined,
): Promise<Agreement<T>> {
  const { customerId: ownId, referenceId, version, ...fields } = body;
  if (ownId !== undefined && ownId.toLowerCase() !== customerId.toLowerCase()) throw otherId();
  if (referenceId === undefined && version === undefined) return { fields, condition };
  const current = await customers.get(customerId);
  const differing = [
    ...(version === undefined || version === versionOf(current) ? [] : ['version']),
    ...(referenceId === undefined || referenceId === current?.referenceId ? [] : ['referenceId']),
  ];
  if (current === undefined || differing.length > 0) throw differs(current, differing);
  return { fields, condition: narrowed(condition, encodeVector(current.version)) };
}

function versionOf(current: CustomerRecord | undefined): string | undefined {
  return current && encodeVector(current.version);
}

/** Both hold: the one that was asked for, and that the version is this one. */
function narrowed(condition: WriteCondition | undefined, version: string): WriteCondition {
  // The customer is there, so what is to be absent is refused as it stands.
  if (condition?.kind === 'absent') return condition;
  const isOther = condition?.kind === 'version' && !condition.versions.includes(version);
  return isOther ? condition : { kind: 'version', versions: [version] };
}

function otherId(): ProblemError {
  return new ProblemError('read-only-differs', {
    detail: 'The body is of another customer than the path: send it to the path of its customerId.',
    errors: [violationOf('customerId')],
  });
}

function differs(current: CustomerRecord | undefined, members: readonly string[]): ProblemError {
  const why = `The customer has been written since it was read: its ${members.join(' and ')} is another.`;
  return preconditionFailed(current, {
    detail: current === undefined ? undefined : `${why} Read it again, or leave that out.`,
    errors: members.map(violationOf),
  });
}

function violationOf(member: string) {
  const message = 'must be that of the customer, or be left out';
  return { in: 'body', field: `/${member}`, rule: 'readOnly', message } as const;
}

interface FailedPrecondition {
  /** What reading it again would not mend, or what differs. */
  readonly detail?: string | undefined;
  readonly errors?: readonly Violation[];
}

export function preconditionFailed(
  current: CustomerRecord | undefined,
  { detail, ...named }: FailedPrecondition = {},
): ProblemError {
  return new ProblemError('precondition-failed', {
    ...named,
    detail:
      detail ??
      (current === undefined
        ? 'There is no such customer.'
        : 'The ETag of this answer is the current version: read it, and decide anew.'),
    headers: current === undefined ? {} : versionHeaders(current.version),
  });
}

function versionHeaders(version: VersionVector): Record<string, string> {
  return { etag: formatEntityTag(version), 'x-tandem-version': encodeVector(version) };
}

const LEAST_VERSION_HEADER = 'x-tandem-min-version';

/** When the peer is up, what is on its way arrives within a second or so. */
const RETRY_AFTER_S = 1;

export function namesLeastVersion({ headers }: FastifyRequest): boolean {
  return headers[LEAST_VERSION_HEADER] !== undefined;
}

/**
 * For a request that names the least version it accepts: waits until this region
 * has it, so that neither the answer shows, nor the write is made on, anything older. Throws
 * `version-malformed`, for one that cannot be and on a path of many customers too, `overloaded`, and
 * `version-not-reached` when the wait is over.
 */
export async function requireVersion(
  request: FastifyRequest,
  customers: Pick<CustomerService, 'reach'>,
): Promise<void> {
  const header = request.headers[LEAST_VERSION_HEADER];
  const { customerId } = request.params as { readonly customerId?: string };
  if (header === undefined) return;
  if (customerId === undefined) throw notOfOne();
  const least = decodeVector(
    String(header)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  );
  if (least === undefined) throw malformedVersion();
  const { waitMs } = readPreferences(request.headers.prefer?.toString());
  const wait = { waitMs, caller: placeHolder(request) };
  const reach = await customers.reach(customerId, least, wait);
  if (reach.kind === 'impossible') throw impossible(reach.why);
  if (reach.kind === 'not-reached') throw versionNotReached(waitMs);
}

export function versionNotReached(waitMs: number): ProblemError {
  return new ProblemError('version-not-reached', {
    detail: `It was not here within ${waitMs} ms. Send the request again, or to another region.`,
    headers: { 'retry-after': String(RETRY_AFTER_S) },
  });
}

function malformedVersion(): ProblemError {
  return refused('Send the text of an x-tandem-version or ETag header as it is.', {
    rule: 'version',
    message: 'must be a version that an answer carried',
  });
}

function impossible(why: string): ProblemError {
  return refused(`No region of these can have made this version: ${why}`, {
    rule: 'plausible',
    message: 'must be a version that a region can have made',
  });
}

/** Passed over, it would seem to hold. */
function notOfOne(): ProblemError {
  return refused('It is a version of one customer, and this path is of many: leave it out here.', {
    rule: 'path',
    message: 'must not be sent to a path that is not of one customer',
  });
}

function refused(detail: string, broken: Pick<Violation, 'rule' | 'message'>): ProblemError {
  const errors = [{ in: 'header', field: `/${LEAST_VERSION_HEADER}`, ...broken } as const];
  return new ProblemError('version-malformed', { detail, errors });
}

interface EntityTag {
  readonly value: string;
  readonly isWeak: boolean;
}

type EntityTags =
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly tags: readonly EntityTag[] };

/** A strong tag: two records with the same one are equal, byte for byte, in every region. */
export function formatEntityTag(version: VersionVector): string {
  return `"${encodeVector(version)}"`;
}

const TAGS_MAX = 50;
/**
 * Matches one element of a list, with the comma behind it; RFC 9110 lets elements be empty. No blank can belong to either of two
 * repetitions, which would make a header of blanks cost their square.
 */
const ELEMENT = /[ \t]*(?:(?<weak>W\/)?"(?<value>[\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)/y;

/**
 * The value of If-Match or If-None-Match (RFC 9110, 13.1): `*` or a list of entity tags. Undefined
 * for anything else, and for a list that is empty or longer than 50.
 */
export function parseEntityTags(header: string): EntityTags | undefined {
  if (header.trim() === '*') return { kind: 'any' };
  const tags: EntityTag[] = [];
  let position = 0;
  while (position < header.length) {
    ELEMENT.lastIndex = position;
    const match = ELEMENT.exec(header);
    if (match === null) return undefined;
    const { weak, value } = match.groups ?? {};
    if (value !== undefined) tags.push({ value, isWeak: weak !== undefined });
    if (tags.length > TAGS_MAX) return undefined;
    position = ELEMENT.lastIndex;
  }
  return tags.length === 0 ? undefined : { kind: 'list', tags };
}
