import { assertNever, TerminalError } from '../errors.ts';
import { checkKey, checkRange, checkTableName, checkTransaction } from '../limits/table-limits.ts';
import { matches } from '../model/predicate.ts';
import type {
  CommitOutcome,
  Properties,
  RowOperation,
  RowPage,
  RowRange,
  TableRow,
  TableStore,
  Transaction,
} from '../ports/table-store.ts';
import { canonicalValue, type FieldValue } from '../values/field-value.ts';

type RowWriting = Exclude<RowOperation, { readonly kind: 'delete' }>;
type Partition = SortedMap<TableRow>;
type Table = SortedMap<Partition>;

/** The service counts time in steps of 100 ns. */
const TICKS_PER_MS = 10_000n;

/**
 * Makes a table store in memory, with the semantics of the port and the limits of Table Storage. It uses
 * neither clock nor randomness: the same calls give the same rows with the same ETags. It tells the time where it is
 * given one.
 */
export function createMemoryTableStore(
  options: {
    readonly nowMs?: () => number;
    /** Gives rows the ETags that the service gives, which tell their Timestamp: by `nowMs`, each later than the last. */
    readonly isTagged?: boolean;
  } = {},
): TableStore {
  // Table names are the same in any case.
  const tables = new Map<string, Table>();
  const writtenMs = new WeakMap<TableRow, number>();
  const nextTag = options.isTagged === true ? createServiceTags(options) : createPlainTags();

  const tableOf = (name: string): Table => {
    const table = tables.get(name.toLowerCase());
    if (table !== undefined) return table;
    const message = `There is no table "${name}". Create it with createTable first.`;
    throw new TerminalError('TABLE_MISSING', message, { details: { table: name } });
  };

  const write = (partition: Partition, partitionKey: string, operation: RowOperation) => {
    if (operation.kind === 'delete') {
      partition.delete(operation.rowKey);
      return undefined;
    }
    const etag = nextTag();
    const { rowKey } = operation;
    const properties = copyProperties(propertiesAfter(operation, partition.get(rowKey)));
    const row = { partitionKey, rowKey, etag, properties };
    partition.set(rowKey, row);
    const nowMs = options.nowMs?.();
    if (nowMs !== undefined) writtenMs.set(row, nowMs);
    return etag;
  };

  return {
    async createTable(name) {
      checkTableName(name);
      const key = name.toLowerCase();
      if (!tables.has(key)) tables.set(key, createSortedMap());
    },
    async get(name, partitionKey, rowKey) {
      checkTableName(name);
      checkKey('partition key', partitionKey);
      checkKey('row key', rowKey);
      return tableOf(name).get(partitionKey)?.get(rowKey);
    },
    async commit(transaction) {
      checkTransaction(transaction);
      const { partitionKey, operations } = transaction;
      const table = tableOf(transaction.table);
      const partition = table.get(partitionKey) ?? createSortedMap<TableRow>();
      const refusal = findRefusal(partition, transaction);
      if (refusal !== undefined) return refusal;
      const etags = operations.map((operation) => write(partition, partitionKey, operation));
      if (partition.size > 0) table.set(partitionKey, partition);
      else table.delete(partitionKey);
      return { kind: 'committed', etags };
    },
    async query(range) {
      checkRange(range);
      return queryTable(tableOf(range.table), range, writtenMs);
    },
    timeMs: async () => options.nowMs?.(),
  };
}

function createPlainTags(): () => string {
  let version = 0;
  return () => {
    version += 1;
    return `W/"${version}"`;
  };
}

function createServiceTags({ nowMs }: { readonly nowMs?: () => number }): () => string {
  let lastTicks = 0n;
  return () => {
    const ticks = BigInt(Math.trunc(nowMs?.() ?? 0)) * TICKS_PER_MS;
    lastTicks = ticks > lastTicks ? ticks : lastTicks + 1n;
    const ms = new Date(Number(lastTicks / TICKS_PER_MS)).toISOString().slice(0, -1);
    const digits = String(lastTicks % TICKS_PER_MS).padStart(4, '0');
    const time = `${`${ms}${digits}`.replace(/\.?0+$/, '')}Z`;
    return `W/"datetime'${encodeURIComponent(time)}'"`;
  };
}

/** Each row is named once, so what one operation does cannot decide whether another one holds. */
function findRefusal(partition: Partition, transaction: Transaction): CommitOutcome | undefined {
  for (const [index, operation] of transaction.operations.entries()) {
    const reason = refusalOf(operation, partition.get(operation.rowKey));
    if (reason !== undefined) return { kind: 'refused', index, reason };
  }
  return undefined;
}

function refusalOf(operation: RowOperation, stored: TableRow | undefined) {
  switch (operation.kind) {
    case 'insert':
      return stored === undefined ? undefined : 'row-exists';
    case 'upsert':
      return undefined;
    case 'replace':
    case 'delete':
      if (stored === undefined) return 'row-missing';
      if (operation.etag === undefined || operation.etag === stored.etag) return undefined;
      return 'row-changed';
    default:
      return assertNever(operation);
  }
}

/** Takes from the row what is said to be as it was, so that whoever says so wrongly is found out. */
function propertiesAfter(operation: RowWriting, stored: TableRow | undefined): Properties {
  if (operation.kind !== 'replace' || operation.changed === undefined) return operation.properties;
  const { properties, changed } = operation;
  const sent = [...properties].filter(([name]) => changed.has(name));
  return new Map([...(stored?.properties ?? []), ...sent]);
}

function copyProperties(properties: Properties): Properties {
  const copies = new Map<string, FieldValue>();
  for (const [name, value] of properties) {
    const copied = value.type === 'Binary' ? { ...value, value: value.value.slice() } : value;
    copies.set(name, canonicalValue(copied));
  }
  return copies;
}

function queryTable(
  table: Table,
  range: RowRange,
  writtenMs: { get(row: TableRow): number | undefined },
): RowPage {
  const start = decodeContinuation(range.continuation);
  const { limit, where, select, writtenFromMs = Number.NEGATIVE_INFINITY } = range;
  const rows: TableRow[] = [];
  let seen = 0;
  for (const row of rowsInRange(table, range, start)) {
    if (rows.length === limit || seen === ROWS_SEEN_MAX) {
      return { rows, continuation: encodeContinuation(row) };
    }
    seen += 1;
    const { properties } = row;
    if ((writtenMs.get(row) ?? writtenFromMs) < writtenFromMs) continue;
    if (where !== undefined && !matches(where, (name) => properties.get(name))) continue;
    rows.push(select === undefined ? row : { ...row, properties: choose(properties, select) });
  }
  return { rows };
}

/** The service looks at no more for one page, and may have found nothing by then. */
const ROWS_SEEN_MAX = 1_000;

function choose(properties: Properties, select: ReadonlySet<string>): Properties {
  return new Map([...properties].filter(([name]) => select.has(name)));
}

interface Position {
  readonly partitionKey: string;
  readonly rowKey: string;
}

function* rowsInRange(table: Table, range: RowRange, start: Position | undefined) {
  const { partitions, rowsFrom = '', rowsAfter = '' } = range;
  const from = typeof partitions === 'string' ? partitions : partitions.from;
  for (const [partitionKey, partition] of table.entriesFrom(max(from, start?.partitionKey ?? ''))) {
    const isInside =
      typeof partitions === 'string' ? partitionKey === from : partitionKey < partitions.before;
    if (!isInside) return;
    const resumed = partitionKey === start?.partitionKey ? start.rowKey : '';
    for (const [rowKey, row] of partition.entriesFrom(max(max(rowsFrom, rowsAfter), resumed))) {
      if (rowKey === range.rowsAfter) continue;
      if (range.rowsBefore !== undefined && rowKey >= range.rowsBefore) break;
      if (range.rowsThrough !== undefined && rowKey > range.rowsThrough) break;
      yield row;
    }
  }
}

function max(a: string, b: string): string {
  return a < b ? b : a;
}

/** Names the row that comes next, as Table Storage does. */
function encodeContinuation({ partitionKey, rowKey }: Position): string {
  return JSON.stringify([partitionKey, rowKey]);
}

function decodeContinuation(continuation: string | undefined): Position | undefined {
  if (continuation === undefined) return undefined;
  try {
    const [partitionKey, rowKey] = JSON.parse(continuation) as string[];
    if (typeof partitionKey === 'string' && typeof rowKey === 'string') {
      return { partitionKey, rowKey };
    }
  } catch (error) {
    throw continuationInvalid(error);
  }
  throw continuationInvalid();
}

function continuationInvalid(cause?: unknown): TerminalError {
  const message = 'The continuation was not made by this store. Start from the first page.';
  return new TerminalError('CURSOR_INVALID', message, { cause });
}

/** A map that is read in the order of its keys (UTF-16, as JavaScript compares strings). */
interface SortedMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
  /** Entries from the first key that is not less than `from`. Do not change the map meanwhile. */
  entriesFrom(from: string): Iterable<readonly [string, V]>;
}

export function createSortedMap<V>(): SortedMap<V> {
  const values = new Map<string, V>();
  const keys: string[] = [];

  /** The index of the first key that is not less than `key`. Keys mostly arrive in order. */
  const indexOf = (key: string): number => {
    const last = keys.at(-1);
    if (last === undefined || last < key) return keys.length;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get size() {
      return values.size;
    },
    get: (key) => values.get(key),
    set(key, value) {
      if (!values.has(key)) keys.splice(indexOf(key), 0, key);
      values.set(key, value);
    },
    delete(key) {
      if (values.delete(key)) keys.splice(indexOf(key), 1);
    },
    *entriesFrom(from) {
      for (let index = indexOf(from); index < keys.length; index += 1) {
        const key = keys[index] ?? '';
        const value = values.get(key);
        if (value !== undefined) yield [key, value];
      }
    },
  };
}
