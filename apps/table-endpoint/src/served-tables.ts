import type { FieldValue, Predicate } from '@tandem/core';
import type { ServiceProperties, SignedIdentifier, StoredEntity } from '@tandem/table-protocol';

export interface Keys {
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** What a write asks to hold of the row; a tag is compared with that of the row as it is answered. */
export type RowCondition =
  | { readonly kind: 'none' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'present' }
  | { readonly kind: 'tag'; readonly tag: string };

/** One operation on one row. `merge` keeps what it does not name; `replace` keeps nothing. */
export type RowWrite =
  | {
      readonly kind: 'replace' | 'merge';
      readonly keys: Keys;
      readonly properties: ReadonlyMap<string, FieldValue>;
      readonly condition: RowCondition;
    }
  | { readonly kind: 'delete'; readonly keys: Keys; readonly condition: RowCondition };

/** Tells what became of a write, or of all the writes of a transaction. */
export type WriteAnswer =
  /** The rows as they are now, in the order of the writes; undefined for one that was deleted. */
  | { readonly kind: 'done'; readonly rows: readonly (StoredEntity | undefined)[] }
  /** Nothing was written, since of the write at `index` the row is not as its condition asks. */
  | {
      readonly kind: 'refused';
      readonly index: number;
      readonly why: 'exists' | 'missing' | 'other-version';
    };

interface RowQuery {
  readonly where: Predicate;
  /** Is that of the page before, of the same query; the first page is read by default. */
  readonly cursor?: string | undefined;
  /** Is 1 to 1,000. */
  readonly limit: number;
  /** Names the properties that are wanted, keys and the Timestamp among them; all by default. */
  readonly select?: ReadonlySet<string> | undefined;
}

interface RowPage {
  readonly rows: readonly StoredEntity[];
  /** Opaque, and good in every region; undefined on the last page. */
  readonly cursor: string | undefined;
}

/** A table as clients know it. */
export interface ServedTable {
  /** As it was first spelt. */
  readonly name: string;
  readonly policies: readonly SignedIdentifier[];
  get(keys: Keys): Promise<StoredEntity | undefined>;
  /** Rows in the order of their keys. A page may be empty and have a cursor. Throws `CURSOR_INVALID`. */
  query(query: RowQuery): Promise<RowPage>;
  /**
   * All or none; the writes are of one partition, and of a row each. A `request`, by its fingerprint, that was done before
   * is answered as it was then.
   */
  write(writes: readonly RowWrite[], request: string | undefined): Promise<WriteAnswer>;
}

/** The tables that one region serves to clients of the Table service. Names are the same in any case. */
export interface ServedTables {
  find(name: string): Promise<ServedTable | undefined>;
  /** Names in order, as they were first spelt. */
  list(): Promise<readonly string[]>;
  /** False where there is one of that name. */
  create(name: string): Promise<boolean>;
  /** False where there is none; resolves once no process of the region writes into it any more. */
  remove(name: string): Promise<boolean>;
  setPolicies(name: string, policies: readonly SignedIdentifier[]): Promise<boolean>;
  properties(): Promise<ServiceProperties>;
  setProperties(properties: ServiceProperties): Promise<void>;
  /** The oldest time up to which everything written elsewhere is here; undefined where that is not known. */
  syncedAt(): Promise<Date | undefined>;
}
