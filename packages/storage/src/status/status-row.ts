import type { FieldValue, Properties, TableStore } from '@tandem/core';

/** Is the table whose rows say how a region stands: who beats, holds, drills, leases, and what was proven. */
export const REPLICATION_TABLE = 'Replication';

/** Says how one column is written and read; one that has `orElse` is read as that where nobody can read it. */
export interface Column<T> {
  write(value: T): FieldValue;
  read(field: FieldValue | undefined): T | undefined;
}

type Columns<T> = { readonly [Name in keyof T]: Column<T[Name]> };

/** Is what one look at the row has found. `damaged` is a row that is there and that nobody can read. */
export type Seen<T> =
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged'; readonly etag: string }
  | { readonly kind: 'value'; readonly value: T; readonly etag: string };

/**
 * Keeps one value as one row of `Replication`. What damage means is left to whoever reads; every write but
 * `put` is guarded by what its writer has seen.
 */
export interface StatusRow<T> {
  /** Returns the columns of the value, for who writes it together with another row. */
  encode(value: T): Properties;
  look(): Promise<Seen<T>>;
  /** Returns false, and writes nothing, when the row is not as it was seen. */
  write(value: T, seen: Seen<T>): Promise<boolean>;
  /** Writes the value whatever is there. */
  put(value: T): Promise<void>;
  /** Takes the row away as it was seen. Returns false when it is not so any more; one that is gone is no error. */
  drop(seen: Seen<T>): Promise<boolean>;
}

export interface StatusRowOptions<T> {
  readonly store: TableStore;
  /** Is `Replication` by default. */
  readonly table?: string;
  readonly partitionKey?: string;
  readonly rowKey: string;
  readonly columns: Columns<T>;
}

export const STATUS_PARTITION = 'status';

export function createStatusRow<T extends object>(options: StatusRowOptions<T>): StatusRow<T> {
  const { store, table = REPLICATION_TABLE, rowKey, columns } = options;
  const { partitionKey = STATUS_PARTITION } = options;
  const address = { table, partitionKey };
  const names = Object.keys(columns) as (keyof T & string)[];

  const encode = (value: T): Properties =>
    new Map(names.map((name) => [name, columns[name].write(value[name])]));
  const decode = (properties: Properties): T | undefined => {
    const read = names.map((name) => [name, columns[name].read(properties.get(name))] as const);
    if (read.some(([, value]) => value === undefined)) return undefined;
    return Object.fromEntries(read) as T;
  };

  return {
    encode,
    async look() {
      const row = await store.get(table, partitionKey, rowKey);
      if (row === undefined) return { kind: 'none' };
      const value = decode(row.properties);
      return value === undefined
        ? { kind: 'damaged', etag: row.etag }
        : { kind: 'value', value, etag: row.etag };
    },
    async write(value, seen) {
      const properties = encode(value);
      const outcome = await store.commit({
        ...address,
        operations: [
          seen.kind === 'none'
            ? { kind: 'insert', rowKey, properties }
            : { kind: 'replace', rowKey, properties, etag: seen.etag },
        ],
      });
      return outcome.kind === 'committed';
    },
    async put(value) {
      const operations = [{ kind: 'upsert' as const, rowKey, properties: encode(value) }];
      await store.commit({ ...address, operations });
    },
    async drop(seen) {
      if (seen.kind === 'none') return true;
      const operations = [{ kind: 'delete' as const, rowKey, etag: seen.etag }];
      return (await store.commit({ ...address, operations })).kind === 'committed';
    },
  };
}

export function textColumn(orElse?: string): Column<string> {
  return {
    write: (value) => ({ type: 'String', value }),
    read: (field) => (field?.type === 'String' ? field.value : orElse),
  };
}

/** Holds a time in milliseconds, written as people read it. */
export function timeColumn(orElse?: number): Column<number> {
  return {
    write: (value) => ({ type: 'String', value: new Date(value).toISOString() }),
    read(field) {
      const timeMs = Date.parse(field?.type === 'String' ? field.value : '');
      return Number.isNaN(timeMs) ? orElse : timeMs;
    },
  };
}

/** Holds a whole number, as the service's Int64. */
export function wholeNumberColumn(orElse?: number): Column<number> {
  return {
    write: (value) => ({ type: 'Int64', value: BigInt(Math.trunc(value)) }),
    read: (field) => (field?.type === 'Int64' ? Number(field.value) : orElse),
  };
}

/** JSON that `check` has to recognise. */
export function jsonColumn<T>(check: (json: unknown) => T | undefined): Column<T> {
  return {
    write: (value) => ({ type: 'String', value: JSON.stringify(value) }),
    read: (field) => (field?.type === 'String' ? check(parseJson(field.value)) : undefined),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
