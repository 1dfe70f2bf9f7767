// What a client of the Table endpoint did and what it was told; as of customers, the checker of rows knows
// nothing else of a run.
import type { Outcome } from './operation.ts';

export const PROPERTIES = ['mark', 'first', 'second'] as const;
type Property = (typeof PROPERTIES)[number];

/** Every write gives a mark that no other one gives, so that a row tells who wrote it last. */
export type RowValues = { readonly mark: string } & Readonly<
  Partial<Record<Exclude<Property, 'mark'>, string>>
>;

export type RowSeen =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly values: RowValues; readonly etag: string };

export interface RowOperation {
  readonly id: number;
  /** `insert` where there is none, `replace` whatever is there, `merge` into what is there. */
  readonly action: 'insert' | 'replace' | 'merge' | 'delete' | 'read';
  /** The region whose endpoint was asked. */
  readonly region: string;
  /** The PartitionKey, a slash, the RowKey. */
  readonly row: string;
  /** Undefined for a deletion and a read. */
  readonly values: RowValues | undefined;
  /** Milliseconds of the one clock of the clients. */
  readonly startMs: number;
  readonly endMs: number;
  /** `unknown` also where a request was repeated before it was refused: the first try may have done it. */
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  /** What the client held when it asked for exactly that version. */
  readonly over?: Extract<RowSeen, { kind: 'present' }> | undefined;
  readonly seen?: RowSeen | undefined;
  /** The transaction, or the read of a whole partition, that it is one part of. */
  readonly together?: number | undefined;
  /** All rows of the partition, this one too, where nothing but transactions of all of them writes them. */
  readonly group?: readonly string[] | undefined;
  /** What was wrong, in a few words; for people. */
  readonly note?: string | undefined;
}

/** All rows that a region shows when everything is over. */
export interface TableState {
  readonly region: string;
  readonly rows: ReadonlyMap<string, RowSeen>;
}
