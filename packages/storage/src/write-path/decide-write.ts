/** What becomes of a write, and what its caller is told: decided by what is known, and by nothing else. */
import {
  assert,
  assertNever,
  changesNothing,
  type EntityKind,
  type EntityState,
  encodeVector,
  isAlive,
  type MergePolicy,
  newestStamp,
  type Operation,
  publicETag,
  type StoredRow,
  type StoredState,
  TransientError,
  type Write,
  writeEntity,
} from '@tandem/core';
import type { OutcomeOf, StateRecord, TransactedOf, WriteCondition } from '../replicated-table.ts';

/** Besides what clients ask for: has the row of an old table here as it is, where nothing is here, a tombstone included. */
export type RowWrite = Write | { readonly kind: 'adopt' };

/** Says what is asked to be done to one entity. */
export interface EntityChange {
  readonly entityId: string;
  readonly write: RowWrite;
  readonly condition: WriteCondition | undefined;
  /** Is that of its kind by default. */
  readonly policy?: MergePolicy;
  /** Is the row of an old table, on which is written what has no row here yet: docs/adr/0040. */
  readonly adopted?: EntityState | undefined;
}

/**
 * What a row is taken to be. A write may always go ahead on it, because its ETag guards the commit;
 * any other answer needs a call of the store that began after the write was asked for.
 */
export interface KnownRow {
  readonly row: StoredRow | undefined;
  /** The number of the store call that told, in one count with the arrivals of writes. */
  readonly toldAt: number;
}

/** Stands for the call of the store where a row is remembered from earlier, or merely supposed. */
export const NEVER_TOLD = -1;

/** Says what a change that goes ahead does, and on what. */
export interface Basis {
  readonly operation: Operation;
  readonly stored: StoredRow | undefined;
  /** Is what it is written on where no row is stored. */
  readonly adopted?: EntityState | undefined;
  /** The row was remembered or supposed, and not told by the store since the write was asked for. */
  readonly isRemembered: boolean;
}

export type WriteDecision =
  | { readonly kind: 'write'; readonly operation: Operation }
  /** Every field is as the write would make it. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'condition-failed' };

export interface WriteRules {
  readonly condition: WriteCondition | undefined;
  readonly policy: MergePolicy;
  /** It is one of several that happen together: then it is written even where it changes nothing. */
  readonly isOfSeveral?: boolean;
}

/** Decides whether a write goes ahead on what is stored. A tombstone counts as nothing stored. */
export function decideWrite(
  write: RowWrite,
  stored: Pick<StoredState, 'state'> | undefined,
  { condition, policy, isOfSeveral = false }: WriteRules,
): WriteDecision {
  if (write.kind === 'adopt') {
    return stored === undefined
      ? { kind: 'write', operation: 'create' }
      : { kind: 'condition-failed' };
  }
  const live = stored !== undefined && isAlive(stored.state) ? stored : undefined;
  if (condition !== undefined && !holds(condition, live)) return { kind: 'condition-failed' };
  const mayRest = policy === 'field' && !isOfSeveral;
  if (mayRest && live !== undefined && changesNothing(write, live.state)) {
    return { kind: 'unchanged' };
  }
  switch (write.kind) {
    case 'put':
      return { kind: 'write', operation: live === undefined ? 'create' : 'replace' };
    case 'merge':
      return { kind: 'write', operation: live === undefined ? 'create' : 'patch' };
    case 'patch':
      return live === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'patch' };
    case 'delete':
      return live === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'delete' };
    case 'forget':
      return stored === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'delete' };
    default:
      return assertNever(write);
  }
}

function holds(condition: WriteCondition, live: Pick<StoredState, 'state'> | undefined): boolean {
  switch (condition.kind) {
    case 'absent':
      return live === undefined;
    case 'present':
      return live !== undefined;
    case 'version':
      return live !== undefined && condition.versions.includes(encodeVector(live.state.vector));
    case 'etag':
      return live !== undefined && condition.etag === publicETag(live.state.vector);
    default:
      return assertNever(condition);
  }
}

export interface DecidableChange extends EntityChange {
  readonly known: KnownRow;
}

export type ChangesDecision =
  /** One basis to a change. */
  | { readonly kind: 'write'; readonly bases: readonly Basis[] }
  | { readonly kind: 'answer'; readonly outcome: TransactedOf<StateRecord> }
  /** What is known of these rows is too old to refuse the write with, or to call it needless. */
  | { readonly kind: 'reread'; readonly places: ReadonlySet<number> };

export interface Deciding {
  /** When the write came, in one count with the calls of the store. */
  readonly arrivedAt: number;
  readonly kind: EntityKind;
  /** The fingerprint of the request that asks for it. */
  readonly request: string | undefined;
}

/**
 * Decides what becomes of the changes of one write whose turn it is, on what is known of their rows: all of them
 * happen, or the first that may not refuses all, or all have happened before and their client asks again. One of several is written even where it changes nothing, for
 * only what is written is guarded by its ETag until the others are.
 */
export function decideChanges(
  changes: readonly DecidableChange[],
  { arrivedAt, kind, request }: Deciding,
): ChangesDecision {
  const outcomes = request && recognise(changes, request);
  if (outcomes) return { kind: 'answer', outcome: { kind: 'done', outcomes } };
  const bases: Basis[] = [];
  const places = new Set<number>();
  const isOfSeveral = changes.length > 1;
  for (const [place, { entityId, write, condition, known, ...change }] of changes.entries()) {
    const { policy = kind.policy, adopted } = change;
    // What is stored here hides the old row, a tombstone too.
    const behind = write.kind === 'adopt' ? undefined : adopted;
    const there = known.row ?? (behind && { state: behind, referenceId: undefined });
    const decision = decideWrite(write, there, { condition, policy, isOfSeveral });
    if (decision.kind === 'write') {
      const { operation } = decision;
      const isRemembered = known.toldAt === NEVER_TOLD;
      bases.push({ operation, stored: known.row, adopted, isRemembered });
    } else if (known.toldAt <= arrivedAt) {
      places.add(place);
    } else if (places.size === 0) {
      // Any other row of a request that comes again may prove that it was done.
      const unread = request === undefined ? [] : placesToldBefore(changes, arrivedAt);
      if (unread.length > 0) return { kind: 'reread', places: new Set(unread) };
      const current = toLiveRecord(entityId, there);
      return { kind: 'answer', outcome: toAnswer(decision.kind, place, current) };
    }
  }
  return places.size > 0 ? { kind: 'reread', places } : { kind: 'write', bases };
}

function placesToldBefore(changes: readonly DecidableChange[], arrivedAt: number): number[] {
  return changes.flatMap(({ known }, place) => (known.toldAt <= arrivedAt ? [place] : []));
}

/**
 * Returns what the first try of a request was answered; undefined where no row tells that there was one. A row that it
 * was the last to write proves that all of its rows were written, and that stays true however old the knowledge is.
 */
function recognise(
  changes: readonly DecidableChange[],
  request: string,
): OutcomeOf<StateRecord>[] | undefined {
  const proof = changes.find(({ known }) => known.row?.state.request === request);
  const stamp = proof?.known.row && newestStamp(proof.known.row.state.vector);
  if (stamp === undefined) return undefined;
  return changes.map(({ entityId, write, condition, known: { row } }) => {
    // Of what others have written over since, it is as the request asked: under its own version, which no row has now.
    const state =
      row?.state.request === request
        ? row.state
        : writeEntity(asked(write), { stored: undefined, stamp, policy: 'row' });
    const operation = condition?.kind === 'absent' ? 'create' : 'replace';
    const record = { entityId, state, referenceId: undefined };
    return toOutcome(write.kind === 'delete' ? write.kind : operation, record);
  });
}

/** Nobody repeats a request that adopts rows. */
function asked(write: RowWrite): Write {
  assert(write.kind !== 'adopt', 'a request of a client adopts nothing');
  return write;
}

function toAnswer(
  reason: Exclude<WriteDecision['kind'], 'write'>,
  index: number,
  current: StateRecord | undefined,
): TransactedOf<StateRecord> {
  if (reason === 'not-found') return { kind: 'refused', index, outcome: { kind: reason } };
  if (reason === 'condition-failed') {
    return { kind: 'refused', index, outcome: { kind: reason, current } };
  }
  assert(current !== undefined, 'only what is there can stay as it is');
  return { kind: 'done', outcomes: [{ kind: 'unchanged', record: current }] };
}

/** Says what to do after the store refused a group because one row was not as expected. */
interface RefusalPlan<W> {
  /** A row of it was changed by someone else: read it again, decide again, commit it later. */
  readonly refused: W;
  /** Says which of its changes has that row. */
  readonly place: number;
  /** To be committed at once. */
  readonly resubmitted: readonly W[];
  /** To be read before they are committed. */
  readonly doubtful: readonly W[];
}

interface RefusableWrite {
  readonly changes: readonly { readonly basis: Pick<Basis, 'isRemembered'> | undefined }[];
}

/** The store names one row at a time, so many stale ones would cost a transaction each. */
const REFUSALS_BEFORE_DOUBT = 2;

/**
 * Decides what becomes of a group whose row at `index` was not as expected. `refusals` counts those in a row,
 * this one included. Undefined when no write of the group has that row.
 */
export function decideRefusal<W extends RefusableWrite>(
  members: readonly W[],
  index: number,
  refusals: number,
): RefusalPlan<W> | undefined {
  const owners = members.flatMap((member) => member.changes.map((_, place) => ({ member, place })));
  const owner = owners[index];
  if (owner === undefined) return undefined;
  const { member: refused, place } = owner;
  const others = members.filter((member) => member !== refused);
  if (refusals < REFUSALS_BEFORE_DOUBT)
    return { refused, place, resubmitted: others, doubtful: [] };
  const { resubmitted = [], doubtful = [] } = Object.groupBy(others, ({ changes }) =>
    changes.some(({ basis }) => basis?.isRemembered === true) ? 'doubtful' : 'resubmitted',
  );
  return { refused, place, resubmitted, doubtful };
}

/** Returns undefined for a tombstone, as for no row at all. */
export function toLiveRecord(
  entityId: string,
  row: StoredState | undefined,
): StateRecord | undefined {
  if (row === undefined || !isAlive(row.state)) return undefined;
  return { entityId, state: row.state, referenceId: row.referenceId };
}

/** Returns what the caller of a committed write is told. */
export function toOutcome(operation: Operation, record: StateRecord): OutcomeOf<StateRecord> {
  if (operation === 'delete') return { kind: 'deleted', version: record.state.vector };
  return { kind: operation === 'create' ? 'created' : 'replaced', record };
}

interface Bucket {
  readonly table: string;
  readonly bucket: string;
}

const RETRY_AFTER_MS = 1_000;

export function errorFull({ table, bucket }: Bucket, waitingMax: number): TransientError {
  return new TransientError(
    'TABLE_THROTTLED',
    `${waitingMax} writes wait for bucket ${bucket} of ${table}, and no more may. ` +
      'Write less often, or try again.',
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

export function errorContended(table: string, entityId: string, times: number): TransientError {
  return new TransientError(
    'WRITE_CONTENDED',
    `Entity ${entityId} of ${table} was changed by others ${times} times in a row. Try again.`,
  );
}

/** Tells a write that waited behind one that failed with `cause`: of itself nothing was done. */
export function errorNotTried({ table, bucket }: Bucket, cause: unknown): unknown {
  if (!(cause instanceof TransientError) || cause.code !== 'TABLE_OUTCOME_UNKNOWN') return cause;
  const message = `Bucket ${bucket} of ${table} gives no answer; nothing was done. Try again.`;
  return new TransientError('TABLE_UNAVAILABLE', message, { cause });
}

/** Tells a caller who waits no longer. `isUnderWay`: the store has the write, and may have done it. */
export function errorLate(
  { table, bucket }: Bucket,
  { waitMs, isUnderWay }: { readonly waitMs: number; readonly isUnderWay: boolean },
): TransientError {
  const silence = `Bucket ${bucket} of ${table} gave no answer within ${waitMs} ms`;
  return isUnderWay
    ? new TransientError('TABLE_OUTCOME_UNKNOWN', `${silence}; the write may have been done.`)
    : new TransientError('TABLE_UNAVAILABLE', `${silence}; nothing was done. Try again.`);
}
