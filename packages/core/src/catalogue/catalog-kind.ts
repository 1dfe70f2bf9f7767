import { type Static, Type } from 'typebox';
import { defineOwnKind, edm, type TypedKind } from '../entity-kind/entity-kind.ts';
import { TerminalError } from '../errors.ts';
import { isTableName, TABLE_NAME } from '../limits/table-limits.ts';

// The catalogue of client tables as an entity kind: which records there are, and how they are named. What follows
// from them is in decide-catalogue.ts; docs/adr/0033.

/** The service keeps it for the list of tables. */
const RESERVED_NAME = 'tables';
const NAME_LENGTH_MAX = 63;
const GENERATION_DIGITS = 4;
const GENERATION_RADIX = 36;
/** So often a table of one name can be created. */
export const GENERATIONS_MAX = GENERATION_RADIX ** GENERATION_DIGITS;
const GENERATION = /^[0-9a-z]{4}$/;
const DELETION = '~deleted';
const RECORD_ID = /^([a-z][a-z0-9]{2,62})~([0-9a-z]{4})(~deleted)?$/;
const REPLICATE = /^(?:all|none)$/;
/** Five stored access policies take 2 KiB. */
const ACL_LENGTH_MAX = 8_192;
const SOURCE_LENGTH_MAX = 4_096;
const MIRROR_LENGTH_MAX = 512;
/** The service bounds the rules that such a document holds to 2 KiB. */
const SERVICE_LENGTH_MAX = 8_192;

const CatalogSchema = Type.Object({
  /** As it was spelt when the table was created. */
  name: edm.string({ maxLength: NAME_LENGTH_MAX, pattern: TABLE_NAME.source }),
  policy: edm.string({ enum: ['row', 'field'] }),
  replicate: edm.string({ maxLength: 4, pattern: REPLICATE.source }),
  /** In milliseconds; the region's setting counts where it is null. */
  tombstoneAgeMs: edm.int64({ minimum: 1 }),
  archiveKeepMs: edm.int64({ minimum: 1 }),
  conflictsKeepMs: edm.int64({ minimum: 1 }),
  /** Stored access policies, as the service's document. */
  acl: edm.string({ maxLength: ACL_LENGTH_MAX }),
  /** Where the rows come from while a table is taken over, as JSON. */
  source: edm.string({ maxLength: SOURCE_LENGTH_MAX }),
  /** The plain table that is kept equal to it, as JSON. */
  mirror: edm.string({ maxLength: MIRROR_LENGTH_MAX }),
  /** The generation whose rows it shows; its own where it is null. */
  rowsOf: edm.string({ maxLength: GENERATION_DIGITS, pattern: GENERATION.source }),
  createdAt: edm.dateTime(),
  /** Stands only in a deletion record. */
  deletedAt: edm.dateTime(),
  /** Only of a deletion record: its rows are gone for good. */
  purgedAt: edm.dateTime(),
  /** Only of the record of the service: what holds for all tables, as the service's document. */
  service: edm.string({ maxLength: SERVICE_LENGTH_MAX }),
});

/** Names the record of what holds for all tables. No table's record is named so. */
export const SERVICE_RECORD_ID = 'service';

export type CatalogRecord = Static<typeof CatalogSchema>;

/**
 * The catalogue of client tables. A table has a record by its lower-case name and its generation,
 * `orders~0000`, and once it is deleted a second one, `orders~0000~deleted`. A deletion is an entity of its own, so no
 * write to the first, however late, merges it away; and none is ever removed, so no number is used twice.
 * One more record, `service`, is of no table.
 */
export const catalogKind: TypedKind<typeof CatalogSchema> = defineOwnKind({
  name: 'Catalog',
  schema: CatalogSchema,
  isEntityId: (text) => text === SERVICE_RECORD_ID || RECORD_ID.test(text),
});

/** It has one bucket: a table is created seldom, and whoever asks for all of them asks once. */
export const CATALOG_BUCKET_COUNT = 1;

/**
 * Returns the name by which a table is known whatever its case. Throws `TABLE_REQUEST_INVALID` for what is no
 * name of a table.
 */
export function tableKeyOf(name: string): string {
  if (typeof name !== 'string' || !isTableName(name)) {
    throw new TerminalError(
      'TABLE_REQUEST_INVALID',
      `${JSON.stringify(name)} is no name for a table: use 3 to ${NAME_LENGTH_MAX} letters and digits, a letter first.`,
    );
  }
  const key = name.toLowerCase();
  if (key !== RESERVED_NAME) return key;
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `"${name}" is no name for a table: Table Storage keeps it for the list of tables. Choose another name.`,
  );
}

/** Returns the id of the record that a table was created, or of the one that it was deleted. */
export function recordIdOf(key: string, generation: number, what: 'creation' | 'deletion'): string {
  return `${key}~${formatGeneration(generation)}${what === 'deletion' ? DELETION : ''}`;
}

export interface RecordId {
  readonly key: string;
  readonly generation: number;
  readonly isDeletion: boolean;
}

/** Returns undefined for what is the id of no record. */
export function readRecordId(id: string): RecordId | undefined {
  const [, key, generation, deletion] = RECORD_ID.exec(id) ?? [];
  if (key === undefined || generation === undefined) return undefined;
  return { key, generation: readGeneration(generation), isDeletion: deletion !== undefined };
}

/** Writes a generation as four digits of base 36, which sort as the numbers do. */
export function formatGeneration(generation: number): string {
  return generation.toString(GENERATION_RADIX).padStart(GENERATION_DIGITS, '0');
}

/** Tells whether a text is written as generations are. */
export function isGeneration(text: string): boolean {
  return GENERATION.test(text);
}

export function readGeneration(text: string): number {
  return parseInt(text, GENERATION_RADIX);
}
