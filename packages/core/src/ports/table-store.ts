import type { Predicate } from '../model/predicate.ts';
import type { FieldValue } from '../values/field-value.ts';

export type Properties = ReadonlyMap<string, FieldValue>;

export interface TableRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly etag: string;
  readonly properties: Properties;
  /** Says of a row in a page which property is left out, since nobody can tell its value. */
  readonly damage?: string;
}

export type RowOperation =
  | { readonly kind: 'insert'; readonly rowKey: string; readonly properties: Properties }
  | {
      readonly kind: 'replace';
      readonly rowKey: string;
      /** Is the whole row. */
      readonly properties: Properties;
      readonly etag: string;
      /**
       * Is said by whoever knows the row under `etag`: every other property is as it was there, and none that
       * it had is gone. A store may then send no more than these.
       */
      readonly changed?: ReadonlySet<string> | undefined;
    }
  | { readonly kind: 'upsert'; readonly rowKey: string; readonly properties: Properties }
  /** Without an etag whatever version is there is deleted. */
  | { readonly kind: 'delete'; readonly rowKey: string; readonly etag?: string };

export interface Transaction {
  readonly table: string;
  readonly partitionKey: string;
  /**
   * Holds 1 to `ROWS_PER_TRANSACTION_MAX`, each row once, at most `TRANSACTION_BYTES_MAX` as `operationBytes`
   * counts them.
   */
  readonly operations: readonly RowOperation[];
}

export type CommitOutcome =
  /** `etags` in the order of the operations; undefined for deletes. */
  | { readonly kind: 'committed'; readonly etags: readonly (string | undefined)[] }
  /** Nothing was written. `index` is the first operation that did not hold. */
  | {
      readonly kind: 'refused';
      readonly index: number;
      readonly reason: 'row-exists' | 'row-changed' | 'row-missing';
    };

export interface RowRange {
  readonly table: string;
  /** Names one partition, or all from `from` (inclusive) to `before` (exclusive). */
  readonly partitions: string | { readonly from: string; readonly before: string };
  /** Bounds on the row key, each of which holds where it is given: `From` and `Through` are inclusive. */
  readonly rowsFrom?: string;
  readonly rowsAfter?: string;
  readonly rowsBefore?: string;
  readonly rowsThrough?: string;
  /**
   * Leaves out rows that it does not match, where what it compares has the type of the value given; rows that
   * have another type there, an instant of the same millisecond, or NaN, may be left in, so whoever asks judges again. It has
   * the form that `isAskable` tells, and makes, with the bounds above, at most `COMPARISONS_MAX` comparisons. Of bytes it
   * asks only whether there are any, which holds where the first of them is below 0xd0.
   */
  readonly where?: Predicate | undefined;
  /**
   * Leaves out rows that were last written before, in milliseconds since the epoch by the store's own clock, of which it tells
   * whole seconds at least; a store that tells no time leaves out none.
   */
  readonly writtenFromMs?: number | undefined;
  /** Leaves out every other property; all come without it. Names 1 to 252. */
  readonly select?: ReadonlySet<string> | undefined;
  /** Is 1 to 1,000. */
  readonly limit: number;
  readonly continuation?: string;
}

export interface RowPage {
  readonly rows: readonly TableRow[];
  /**
   * Is opaque, and present when there may be more: a page may be short, or empty, and still have one. Good for the
   * same range alone.
   */
  readonly continuation?: string;
}

/**
 * Is a store of tables with the semantics of Azure Table Storage. Every write gives a row an ETag that it never
 * had before. Values come back in the spelling of `canonicalValue`, exact in type and value. Keys are compared
 * by their UTF-16 units.
 *
 * Every method throws `TABLE_THROTTLED` or `TABLE_UNAVAILABLE` when nothing was done and a retry
 * may work, and a terminal error when none can: `TABLE_LIMIT_EXCEEDED` or `TABLE_REQUEST_INVALID`,
 * mostly before anything is sent; `TABLE_MISSING`; `TABLE_FORBIDDEN`;
 * `ROW_MALFORMED`; `CURSOR_INVALID` for a continuation that this store did not make. `commit` throws
 * `TABLE_OUTCOME_UNKNOWN` when it may have been done all the same. No method retries by itself: the
 * caller must know how often it asked. A page is never refused for the sake of one of its rows.
 */
export interface TableStore {
  /** Makes the table exist. Idempotent. */
  createTable(table: string): Promise<void>;
  get(table: string, partitionKey: string, rowKey: string): Promise<TableRow | undefined>;
  /** Writes all or nothing. A refusal is an outcome, not an error. */
  commit(transaction: Transaction): Promise<CommitOutcome>;
  /** Resolves with a page in the order of (partition key, row key). */
  query(range: RowRange): Promise<RowPage>;
  /**
   * Resolves with the milliseconds since the epoch by the store's own clock, up to a second less; undefined where it
   * tells none.
   */
  timeMs(): Promise<number | undefined>;
}
