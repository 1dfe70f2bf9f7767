/**
 * A plain table served as one of ours while nothing of it is here: what clients write goes to it, and what they are shown
 * is its rows as every region would adopt them. So their ETags, and the positions of their pages, stay good when the
 * table is taken over. See docs/adr/0040.
 *
 * A write that needs to know the row reads it, and is made on the version that was read; what clients are told is what
 * the old store decided.
 */
import {
  adoptedStamp,
  adoptedState,
  assertNever,
  encodeOpenId,
  encodeVector,
  type FieldValue,
  forEachBounded,
  type Properties,
  type RowOperation,
  type TableRow,
  TerminalError,
  TransientError,
  timestampOfTag,
} from '@tandem/core';
import type { TransactedOf, WriteCondition } from '../replicated-table.ts';
import { adoptRow, getRow, type OldTableOptions } from './old-table.ts';
import {
  type OpenOperation,
  type OpenOutcome,
  type OpenRecord,
  type OpenTable,
  toRecord,
} from './open-table.ts';

export interface ForwardingTableOptions extends OldTableOptions {
  /** Reads it, as it is read when it is taken over: the table here is empty. */
  readonly reads: Pick<OpenTable, 'get' | 'query'>;
  /**
   * Resolves right before each write, and rejects where it must not be made any more. What it has let pass ends within the
   * time that its store gives a call.
   */
  readonly mayWrite: () => Promise<void>;
}

const ATTEMPTS_MAX = 10;
const READS_AT_ONCE = 16;

/** Throws what the store throws, `WRITE_CONTENDED` where others kept changing a row, and what `mayWrite` throws. */
export function createForwardingTable(options: ForwardingTableOptions): OpenTable {
  const { reads } = options;
  const write = async (operation: OpenOperation): Promise<OpenOutcome> => {
    const done = await transact([operation], options);
    const [outcome] = done.kind === 'done' ? done.outcomes : [done.outcome];
    if (outcome === undefined) throw new Error('unreachable: a write has an outcome');
    return outcome;
  };
  return {
    get: (key) => reads.get(key),
    query: (query) => reads.query(query),
    insert: (key, values) => write({ ...key, kind: 'put', values, condition: { kind: 'absent' } }),
    put: (key, values, condition) => write({ ...key, kind: 'put', values, condition }),
    merge: (key, values, condition) => write({ ...key, kind: 'merge', values, condition }),
    remove: (key, condition) => write({ ...key, kind: 'remove', condition }),
    // Who repeats a request is answered as the old table answers: it knows none again.
    transact: (operations) => transact(operations, options),
  };
}

async function transact(
  operations: readonly OpenOperation[],
  options: ForwardingTableOptions,
): Promise<TransactedOf<OpenRecord>> {
  const partitionKey = partitionOf(operations, options);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const plans = await planAll(operations, options);
    const refused = plans.findIndex(({ kind }) => kind === 'refused');
    const refusal = plans[refused];
    if (refusal?.kind === 'refused')
      return { kind: 'refused', index: refused, outcome: refusal.outcome };
    const going = plans.flatMap((plan) => (plan.kind === 'write' ? [plan] : []));
    await options.mayWrite();
    const outcome = await options.store.commit({
      table: options.table,
      partitionKey,
      operations: going.map(({ operation }) => operation),
    });
    if (outcome.kind === 'committed') {
      const outcomes = going.map((plan, index) =>
        toOutcome(plan, { ...options, operation: operations[index]! }, outcome.etags[index]),
      );
      return { kind: 'done', outcomes };
    }
    // What was decided on a row that was read is decided anew; anything else the store has decided.
    if (going[outcome.index]?.isOnRead === true) continue;
    return await refusalOf(operations[outcome.index]!, outcome.index, options);
  }
  throw new TransientError(
    'WRITE_CONTENDED',
    `A row of table ${options.table} was changed by others ${ATTEMPTS_MAX} times in a row. Try again.`,
  );
}

/** A transaction of a plain table is of one PartitionKey, and names a row once. */
function partitionOf(
  operations: readonly OpenOperation[],
  { table }: ForwardingTableOptions,
): string {
  const [first] = operations;
  const isOne = operations.every(({ partitionKey }) => partitionKey === first?.partitionKey);
  const rows = new Set(operations.map(({ rowKey }) => rowKey));
  if (first !== undefined && isOne && rows.size === operations.length) return first.partitionKey;
  throw new TerminalError(
    'TRANSACTION_INVALID',
    `A transaction of ${table} is of one PartitionKey, with at least one operation and each row once. Split it.`,
  );
}

type Refusal = Extract<TransactedOf<OpenRecord>, { kind: 'refused' }>['outcome'];

type Plan =
  | {
      readonly kind: 'write';
      readonly operation: RowOperation;
      /** Is the whole row as it will be; of a deletion none. */
      readonly properties: Properties;
      readonly isCreation: boolean;
      /** It goes by what was read: where that has changed it is decided anew. */
      readonly isOnRead: boolean;
      readonly current: OpenRecord | undefined;
    }
  | { readonly kind: 'refused'; readonly outcome: Refusal };

async function planAll(
  operations: readonly OpenOperation[],
  options: ForwardingTableOptions,
): Promise<readonly Plan[]> {
  const plans = new Map<OpenOperation, Plan>();
  await forEachBounded(operations, READS_AT_ONCE, async (operation) => {
    plans.set(operation, await plan(operation, options));
  });
  return operations.flatMap((operation) => plans.get(operation) ?? []);
}

async function plan(operation: OpenOperation, options: ForwardingTableOptions): Promise<Plan> {
  const { condition, rowKey } = operation;
  // Before anything is sent: a key that cannot be is refused as it will be when the table is ours.
  encodeOpenId(options.tableId, operation);
  const given = withoutNulls(operation.values);
  const blind = { isOnRead: false, isCreation: false, current: undefined };
  if (operation.kind !== 'merge' && condition?.kind === 'absent') {
    return {
      kind: 'write',
      operation: { kind: 'insert', rowKey, properties: given },
      properties: given,
      ...blind,
      isCreation: true,
    };
  }
  if (operation.kind === 'put' && condition === undefined) {
    return {
      kind: 'write',
      operation: { kind: 'upsert', rowKey, properties: given },
      properties: given,
      ...blind,
    };
  }
  const row = await getRow(options, operation);
  const current = row && recordOf(row, options);
  if (!holds(condition, current, row)) {
    return { kind: 'refused', outcome: { kind: 'condition-failed', current } };
  }
  if (operation.kind === 'remove') {
    if (row === undefined) return { kind: 'refused', outcome: { kind: 'not-found' } };
    const deletion = { kind: 'delete' as const, rowKey, etag: row.etag };
    return {
      kind: 'write',
      operation: deletion,
      properties: new Map(),
      isOnRead: true,
      isCreation: false,
      current,
    };
  }
  const before = operation.kind === 'merge' ? row?.properties : undefined;
  const properties = mergedOf(before, operation.values);
  const write: RowOperation =
    row === undefined
      ? { kind: 'insert', rowKey, properties }
      : { kind: 'replace', rowKey, properties, etag: row.etag };
  return {
    kind: 'write',
    operation: write,
    properties,
    isOnRead: true,
    isCreation: row === undefined,
    current,
  };
}

function withoutNulls(values: OpenOperation['values']): Properties {
  return mergedOf(undefined, values);
}

function mergedOf(before: Properties | undefined, values: OpenOperation['values']): Properties {
  const properties = new Map<string, FieldValue>(before);
  for (const [name, value] of values ?? []) {
    if (value === null) properties.delete(name);
    else properties.set(name, value);
  }
  return properties;
}

function holds(
  condition: WriteCondition | undefined,
  current: OpenRecord | undefined,
  row: TableRow | undefined,
): boolean {
  switch (condition?.kind) {
    case undefined:
      return true;
    case 'absent':
      return current === undefined;
    case 'present':
      return current !== undefined;
    case 'etag':
      return row?.etag === condition.etag;
    case 'version':
      return current !== undefined && condition.versions.includes(encodeVector(current.version));
    default:
      return assertNever(condition);
  }
}

async function refusalOf(
  operation: OpenOperation,
  index: number,
  options: ForwardingTableOptions,
): Promise<TransactedOf<OpenRecord>> {
  const row = await getRow(options, operation);
  const current = row && recordOf(row, options);
  return { kind: 'refused', index, outcome: { kind: 'condition-failed', current } };
}

function recordOf(row: TableRow, options: OldTableOptions): OpenRecord {
  const { state } = adoptRow(row, options);
  return toRecord(row, { state, referenceId: undefined });
}

function toOutcome(
  { properties, isCreation, current }: Extract<Plan, { kind: 'write' }>,
  { operation, tableId, table }: OldTableOptions & { readonly operation: OpenOperation },
  etag: string | undefined,
): OpenOutcome {
  if (operation.kind === 'remove') {
    return { kind: 'deleted', version: current?.version ?? new Map() };
  }
  const entityId = encodeOpenId(tableId, operation);
  const timestamp = timestampOfTag(etag ?? '');
  const stamp = timestamp === undefined ? undefined : adoptedStamp(entityId, timestamp);
  if (stamp === undefined) {
    // It was done; who repeats it is told what is there now.
    throw new TransientError(
      'TABLE_OUTCOME_UNKNOWN',
      `The old table ${table} answered a write with an ETag that tells no Timestamp. The write was done.`,
    );
  }
  const record = toRecord(operation, {
    state: adoptedState(stamp, properties),
    referenceId: undefined,
  });
  return { kind: isCreation ? 'created' : 'replaced', record };
}
