export type TableOperationKind =
  | 'create'
  | 'delete'
  | 'restore'
  | 'put'
  | 'insert'
  | 'merge'
  | 'remove'
  | 'transact'
  | 'get';

export type TableOutcome =
  | { readonly kind: 'pending' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly code: string }
  /** There was no such table. */
  | { readonly kind: 'no-table' }
  | { readonly kind: 'done' };

/** What a client of tables asked for and was told. Times are true ones. */
export interface TableOperation {
  readonly id: number;
  readonly region: string;
  readonly kind: TableOperationKind;
  /** In lower case. */
  readonly key: string;
  readonly startMs: number;
  endMs: number;
  outcome: TableOutcome;
  /** The table that it was about, as the process knew it. */
  generation: number | undefined;
  /** A creation that found a table made none. */
  isNew: boolean;
  /** The fingerprint of the request, which is that of each of its tries; undefined for one that is not known again. */
  readonly request: string | undefined;
  /** The rows that a write is of. */
  rows: readonly string[];
  /** Of what was written, in the order of the rows: under which stamp its newest version was, by what was answered. */
  answered: readonly string[];
}
