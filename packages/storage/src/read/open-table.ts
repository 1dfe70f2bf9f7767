import {
  type ConflictJournal,
  encodeOpenId,
  type FieldValue,
  type FieldValues,
  forEachBounded,
  isAlive,
  isFingerprint,
  type MergePolicy,
  mergeRows,
  mergeStatesInto,
  newestStamp,
  type OpenKey,
  type Properties,
  type Replica,
  type StoredState,
  stampRegion,
  TerminalError,
  type VersionVector,
  type Write,
} from '@tandem/core';
import type { OutcomeOf, StateRecord, TransactedOf, WriteCondition } from '../replicated-table.ts';
import { type ReadContext, readRow, retryRead } from '../tables/table-replica.ts';
import type { StateTable } from '../write-path/create-replicated-table.ts';
import { mapOutcome, mapTransacted } from '../write-path/create-replicated-table.ts';
import {
  type OpenQuery,
  type OpenRowsOptions,
  queryOpenRows,
  type SpaceRows,
} from './query-open-rows.ts';

/** One live row of an open table as this region has it. */
export interface OpenRecord extends OpenKey {
  /** Its properties; those that a query did not ask for are left out. */
  readonly values: Properties;
  /** Which transactions of which regions this row contains; `encodeVector` makes it an ETag. */
  readonly version: VersionVector;
  /** Is the region of the newest transaction. */
  readonly origin: string;
  /** Its archive key; undefined when the newest transaction was written in this region. */
  readonly referenceId: string | undefined;
}

export type OpenOutcome = OutcomeOf<OpenRecord>;

export interface OpenPage {
  readonly records: readonly OpenRecord[];
  /** Opaque, and good in every region; undefined on the last page. */
  readonly cursor: string | undefined;
}

/** Is one of the operations of a transaction. */
export interface OpenOperation extends OpenKey {
  readonly kind: 'put' | 'merge' | 'remove';
  /** Is absent for a removal. */
  readonly values?: FieldValues | undefined;
  readonly condition?: WriteCondition | undefined;
}

/**
 * One table of an open kind in one region: rows of any properties, under PartitionKey and RowKey. Throws as
 * `ReplicatedTable` does; `ENTITY_INVALID` names a key that cannot be, before anything is written.
 */
export interface OpenTable {
  get(key: OpenKey): Promise<OpenRecord | undefined>;
  /** Creates; `condition-failed` where there is a row. */
  insert(key: OpenKey, values: FieldValues): Promise<OpenOutcome>;
  /** Creates, or replaces whole. */
  put(key: OpenKey, values: FieldValues, condition?: WriteCondition): Promise<OpenOutcome>;
  /** Creates, or changes the properties that are named; null removes one. */
  merge(key: OpenKey, values: FieldValues, condition?: WriteCondition): Promise<OpenOutcome>;
  remove(key: OpenKey, condition?: WriteCondition): Promise<OpenOutcome>;
  /**
   * Does all of the operations or none: of one PartitionKey, each of another row. See `ReplicatedTable`. `request` is what
   * `fingerprintOf` gives of a request that its client may repeat, without having had an answer: where one of the
   * rows was last written by that request nothing is done again, and what the first try was answered is answered, in
   * whichever region. It needs `REQUEST_WIRE_VERSION`; below, and by default, a repetition is a write like any other.
   */
  transact(
    operations: readonly OpenOperation[],
    request?: string,
  ): Promise<TransactedOf<OpenRecord>>;
  /** Live rows in the order of (PartitionKey, RowKey). A page may be short, even empty, and have a cursor. */
  query(query?: OpenQuery): Promise<OpenPage>;
}

export interface OpenTableOptions extends OpenRowsOptions {
  /** All rows of the kind, of whichever table. */
  readonly states: StateTable;
  /** How concurrent writes merge; `row` by default. */
  readonly policy?: MergePolicy | undefined;
  /** Is where rows lie too while the table moves; there is none by default. */
  readonly other?: OtherSpace | undefined;
}

/** Bounds what is asked of an old table at a time for one transaction. */
const OLD_READS_AT_ONCE = 16;

/** Returns one table of an open kind. What it holds is told apart by its `tableId`. */
export function createOpenTable(options: OpenTableOptions): OpenTable {
  const { states, tableId, policy = 'row' } = options;
  const { old, other } = options;
  // Before the row here is looked at, and whatever is remembered of that: that none is here proves nothing.
  const toChange = async ({ kind, values = new Map(), condition, ...key }: OpenOperation) => ({
    entityId: encodeOpenId(tableId, key),
    condition,
    policy,
    write: toWrite(kind, values),
    adopted: await old?.get(key),
  });
  const write = async (operation: OpenOperation): Promise<OpenOutcome> => {
    const change = await toChange(operation);
    await other?.pull([change.entityId]);
    const outcome = await states.write(change);
    return mapOutcome(outcome, (record) => toRecord(operation, record));
  };
  return {
    async get(key) {
      const entityId = encodeOpenId(tableId, key);
      if (old === undefined && other === undefined) {
        const record = await states.get(entityId);
        return record && toRecord(key, record);
      }
      const own = await states.read(entityId);
      const row = other === undefined ? own : await other.joinedWith(entityId, own);
      if (row !== undefined) return isAlive(row.state) ? toRecord(key, row) : undefined;
      const state = await old?.get(key);
      return state && toRecord(key, { state, referenceId: undefined });
    },
    insert: (key, values) => write({ ...key, kind: 'put', values, condition: { kind: 'absent' } }),
    put: (key, values, condition) => write({ ...key, kind: 'put', values, condition }),
    merge: (key, values, condition) => write({ ...key, kind: 'merge', values, condition }),
    remove: (key, condition) => write({ ...key, kind: 'remove', condition }),
    async transact(operations, request) {
      if (request !== undefined && !isFingerprint(request)) throw noFingerprint();
      const changes = new Map<OpenOperation, Awaited<ReturnType<typeof toChange>>>();
      await forEachBounded(operations, OLD_READS_AT_ONCE, async (operation) => {
        changes.set(operation, await toChange(operation));
      });
      const all = operations.flatMap((one) => changes.get(one) ?? []);
      await other?.pull(all.map(({ entityId }) => entityId));
      const done = await states.transact(all, request);
      const keys = new Map(operations.map((one) => [encodeOpenId(tableId, one), one]));
      return mapTransacted(done, (record) => toRecord(keys.get(record.entityId) ?? NO_KEY, record));
    },
    query: (query) => queryOpenTable(query, options),
  };
}

/** Returns a page of one table of an open kind, for who only reads; see `OpenTable`. */
export async function queryOpenTable(
  query: OpenQuery | undefined,
  options: OpenRowsOptions,
): Promise<OpenPage> {
  const { rows, cursor } = await queryOpenRows(query ?? {}, options);
  const chosen = query?.select && new Set(query.select);
  return { records: rows.map(({ row, ...key }) => toRecord(key, row, chosen)), cursor };
}

function noFingerprint(): TerminalError {
  return new TerminalError(
    'TRANSACTION_INVALID',
    'The request of a transaction is named by its fingerprint, 16 characters: take what `fingerprintOf` gives.',
  );
}

const NO_KEY: OpenKey = { partitionKey: '', rowKey: '' };

function toWrite(kind: OpenOperation['kind'], values: FieldValues): Write {
  return kind === 'remove' ? { kind: 'delete' } : { kind, values };
}

/** Returns the record of a row as a state has it, with the properties that were chosen. */
export function toRecord(
  { partitionKey, rowKey }: OpenKey,
  { state, referenceId }: Omit<StateRecord, 'entityId'>,
  chosen?: ReadonlySet<string>,
): OpenRecord {
  const values = new Map<string, FieldValue>();
  for (const [name, { value }] of state.fields) {
    if (value !== null && chosen?.has(name) !== false) values.set(name, value);
  }
  const newest = newestStamp(state.vector);
  const origin = newest === undefined ? '' : stampRegion(newest);
  return { partitionKey, rowKey, values, version: state.vector, origin, referenceId };
}

// The two spaces of a table that moves, as one: what a row is, is the join of its rows in both. Who writes has the row that he writes to
// contain the other one before, and his write contains that; so it does not matter in which of them a write is, or comes later from
// another region. See docs/adr/0044.

/** The space of a table that moves to which this region does not write. */
export interface OtherSpace extends SpaceRows {
  /** Returns the row here joined with the one there; undefined where there is neither. */
  joinedWith(entityId: string, own: StoredState | undefined): Promise<StoredState | undefined>;
  /**
   * Has the rows that are written to contain those here. What they lose to each other goes to the journal, as with a change that
   * comes; no outbox tells of it, since every region has the same rows here, or will.
   */
  pull(entityIds: readonly string[]): Promise<void>;
}

export interface OtherSpaceOptions extends SpaceRows, ReadContext {
  /** The rows that are written to, in the memory that whoever writes them has. */
  readonly into: Replica;
  readonly conflicts: Pick<ConflictJournal, 'record'>;
}

/** `replica` is that of the rows here. */
export function createOtherSpace(options: OtherSpaceOptions): OtherSpace {
  const { kind, bucketCount, replica, into, conflicts } = options;
  return {
    kind,
    bucketCount,
    async joinedWith(entityId, own) {
      const row = await readRow(entityId, options);
      if (row === undefined || own === undefined) return own ?? row;
      return mergeRows(own, row);
    },
    async pull(entityIds) {
      // What lies in one bucket of the one space may lie in several of the other.
      const byBucket = Map.groupBy(entityIds, (entityId) => replica.bucketOf(entityId));
      for (const [bucket, ids] of byBucket) {
        const rows = await retryRead(() => replica.read(bucket, ids), options);
        if (rows.size > 0) await mergeStatesInto(into, rows, conflicts);
      }
    },
  };
}
