import { createHash } from 'node:crypto';
import {
  AppError,
  bucketNames,
  type Conflict,
  type ConflictJournal,
  chunk,
  decodeConflict,
  type EntityKind,
  encodeConflict,
  encodeStoredConflict,
  entityBucketOf,
  eraseConflict,
  type FieldValue,
  forEachBounded,
  fragmentCountOf,
  joinConflicts,
  type LargeSetBounds,
  type Properties,
  pagesOf,
  type RowOperation,
  type TableRow,
  type TableStore,
  type UntoldConflict,
  untilUncontended,
  withinReadable,
} from '@tandem/core';
import { fromPayloadColumns, textOf, toPayloadColumns } from '../rows/entity-row.ts';
import { asideKeyOf, ENTITY_ROWS_FROM, encodeRowKey } from '../rows/row-key.ts';
import {
  countIn,
  FIRST_KEY_LENGTH_MAX,
  type JoinedRows,
  joinRows,
  joinSet,
  readRowsOf,
  toDeletions,
  toLaterRows,
  toSetColumns,
} from '../rows/set-rows.ts';
export const CONFLICTS_TABLE = 'Conflicts';
/** Begins the partitions of what peers are still to be told of; no bucket's partition begins like this. */
export const UNTOLD_PREFIX = '~untold-';

/** Marks a row that is about to be trimmed; whoever writes it takes the mark off. */
export const GOING = 'going';

export interface TableConflictJournalOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  /** Is one for every kind, or depends on the kind. */
  readonly bucketCount: number | ((entityKind: string) => number);
  /** Names the regions that are told of what is found here; none by default. */
  readonly peers?: readonly string[];
  /** Says which conflicts are laid on several rows; what one row does not hold by default. */
  readonly largeConflicts?: LargeSetBounds | undefined;
}

const ROWS_PER_TRANSACTION_MAX = 50;
/** Stays below the 4 MiB of a transaction: a row takes more than its encoded conflict, once more in Base64. */
const BYTES_PER_TRANSACTION_MAX = 1024 * 1024;
const PAGE_ROWS = 200;
const READS_AT_ONCE_MAX = 8;
/** Bounds what is in memory of what a peer is told at once. */
const UNTOLD_BYTES_MAX = 8 * 1024 * 1024;
const CONTENTION = { attemptsMax: 10 };
/** Bounds the looks, of which there is one in each sweep. */
const LOOKS_MAX = 100;

/** A kind that was served before and is no more was a typed one. */
const UNKNOWN_KIND: Pick<EntityKind, 'bucketTextOf'> = { bucketTextOf: (entityId) => entityId };

/** Is a conflict as it is stored, with the columns of each of its rows. */
interface EncodedConflict {
  readonly conflict: Conflict;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly encoded: Uint8Array;
  readonly columns: readonly (readonly [string, FieldValue][])[];
}

type Encode = (conflict: Conflict) => EncodedConflict;

const TRANSACTION_BOUNDS = {
  countMax: ROWS_PER_TRANSACTION_MAX,
  weightMax: BYTES_PER_TRANSACTION_MAX * ROWS_PER_TRANSACTION_MAX,
  weigh: ({ encoded }: Pick<EncodedConflict, 'encoded'>): number =>
    Math.max(
      encoded.length * ROWS_PER_TRANSACTION_MAX,
      fragmentCountOf(encoded) * BYTES_PER_TRANSACTION_MAX,
    ),
};

/**
 * Keeps the table `Conflicts`.
 *
 *     <kind>-<bucket>   <greater stamp>~<smaller stamp>~<entity>   a conflict; in several rows where it is large
 *     ~untold-<peer>    a hash of the two keys and what was lost   a conflict that the peer is to be told of
 *
 * Every region derives the same key from the same two transactions. The stamps alone are no name: the changes
 * of one commit share a stamp, and several of them may meet several of another.
 */
export function createTableConflictJournal(options: TableConflictJournalOptions): ConflictJournal {
  const { store, bucketCount, peers = [] } = options;
  const kinds = new Map(options.kinds.map((kind) => [kind.name, kind]));
  const countOf = (entityKind: string): number =>
    typeof bucketCount === 'number' ? bucketCount : bucketCount(entityKind);
  const bucketOfConflict = ({ entityKind, entityId }: Conflict): string =>
    entityBucketOf(kinds.get(entityKind) ?? UNKNOWN_KIND, entityId, countOf(entityKind));

  const encode: Encode = (given) => {
    const { entityKind, stamps } = given;
    const conflict = withinReadable(kinds.get(entityKind), given);
    const bucket = bucketOfConflict(conflict);
    const encoded = encodeStoredConflict(conflict, options.largeConflicts);
    const columns = toSetColumns({ set: { entityKind, bucket, stamp: stamps[1] }, encoded });
    const partitionKey = `${entityKind}-${bucket}`;
    return { conflict, partitionKey, rowKey: rowKeyOf(conflict), encoded, columns };
  };

  const accept = async (conflicts: readonly Conflict[]): Promise<void> => {
    const rows = joinAlike(conflicts).map(encode);
    for (const [partitionKey, own] of Map.groupBy(rows, (row) => row.partitionKey)) {
      for (const part of chunk(own, TRANSACTION_BOUNDS)) {
        const operations = part.flatMap(toInsertions);
        const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
        if (outcome.kind === 'committed') continue;
        await forEachBounded(part, READS_AT_ONCE_MAX, (row) => joinRow(store, row, encode));
      }
    }
  };

  const scan: ConflictJournal['scan'] = (...asked) => scanBucket(store, ...asked);

  return {
    async record(conflicts) {
      const rows = joinAlike(conflicts).map(encode);
      // First: whoever is cut off in between may not find the conflict again, for another may merge the rows
      // meanwhile, and what is recorded must be told.
      for (const peer of peers) {
        for (const part of chunk(rows, TRANSACTION_BOUNDS)) {
          await store.commit({
            table: CONFLICTS_TABLE,
            partitionKey: `${UNTOLD_PREFIX}${peer}`,
            operations: part.map((row) => toMarker(row)),
          });
        }
      }
      await accept(conflicts);
    },

    accept,

    ...untoldIn(store),

    scan,

    list: (entityKind, limit) =>
      newestOf(
        bucketNames(countOf(entityKind)).map((bucket) => scan(entityKind, bucket)),
        limit,
      ),
  };
}

async function* scanBucket(
  store: TableStore,
  ...[entityKind, bucket, onDamaged]: Parameters<ConflictJournal['scan']>
): AsyncGenerator<Conflict> {
  const partitions = `${entityKind}-${bucket}`;
  const range = { table: CONFLICTS_TABLE, partitions, rowsFrom: ENTITY_ROWS_FROM };
  for await (const { rows } of pagesOf((from) =>
    store.query({ ...range, limit: PAGE_ROWS, ...from }),
  )) {
    for (const joined of await joinRows(rows, { store, table: CONFLICTS_TABLE })) {
      const conflict = readConflict(joined);
      if (conflict !== undefined) yield conflict;
      else onDamaged?.();
    }
  }
}

/**
 * Finds the newest of all buckets; keeps no more than what can still be asked for, however long the journal is.
 */
async function newestOf(
  buckets: readonly AsyncIterable<Conflict>[],
  limit: number,
): Promise<readonly Conflict[]> {
  const found: Conflict[] = [];
  for (const bucket of buckets) {
    let room = limit;
    for await (const conflict of bucket) {
      found.push(conflict);
      room -= 1;
      if (room > 0) continue;
      found.sort(newestFirst).splice(limit);
      room = PAGE_ROWS;
    }
    found.sort(newestFirst).splice(limit);
  }
  return found;
}

/** Keeps what peers are still to be told of: the markers, and the conflicts that they name. */
function untoldIn(store: TableStore): Pick<ConflictJournal, 'untold' | 'told'> {
  const place = { store, table: CONFLICTS_TABLE };
  const read = async (partitionKey: string, rowKey: string): Promise<Conflict | undefined> => {
    const row = await store.get(CONFLICTS_TABLE, partitionKey, rowKey);
    const joined = row && (await joinSet(row, new Map(), place));
    return joined && readConflict(joined);
  };

  return {
    async untold(peer, page) {
      const partitions = `${UNTOLD_PREFIX}${peer}`;
      const range = { table: CONFLICTS_TABLE, partitions, ...page };
      const { rows, continuation } = await store.query(range);
      const found: UntoldConflict[] = [];
      let bytes = 0;
      await forEachBounded(rows, READS_AT_ONCE_MAX, async ({ rowKey, etag, properties }) => {
        // What is left is told the next time.
        if (bytes >= UNTOLD_BYTES_MAX) return;
        const of = (name: string): string => textOf(properties, name) ?? '';
        const conflict = await read(of('conflictPartition'), of('conflictRow'));
        if (conflict === undefined || !saysAll(conflict, readPromised(properties))) {
          await lookAgain(store, partitions, { rowKey, etag, properties });
          return;
        }
        bytes += encodeConflict(conflict).length;
        found.push({ conflict, key: JSON.stringify([rowKey, etag]) });
      });
      return { conflicts: found, ...(continuation === undefined ? {} : { continuation }) };
    },

    async told(peer, conflicts) {
      const markers = conflicts.map(({ key }) => {
        const [rowKey = '', etag = ''] = JSON.parse(key) as readonly string[];
        return { rowKey, etag };
      });
      const partitionKey = `${UNTOLD_PREFIX}${peer}`;
      for (const part of chunk(markers, { countMax: ROWS_PER_TRANSACTION_MAX })) {
        const operations = part.map((marker) => ({ kind: 'delete' as const, ...marker }));
        const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
        if (outcome.kind === 'committed') continue;
        // One was found again, or told by another process: each is settled on its own.
        await forEachBounded(part, READS_AT_ONCE_MAX, (one) => forget(store, partitionKey, one));
      }
    },
  };
}

/** Joins the conflict into the record that is there, unless that says as much already. */
async function joinRow(store: TableStore, row: EncodedConflict, encode: Encode): Promise<void> {
  const { partitionKey, rowKey, conflict } = row;
  const place = { store, table: CONFLICTS_TABLE };
  await untilUncontended(async () => {
    const first = await store.get(CONFLICTS_TABLE, partitionKey, rowKey);
    const stored = first && (await joinSet(first, new Map(), place));
    const own = stored && readConflict(stored);
    let operations = toInsertions(row);
    if (stored !== undefined && own !== undefined) {
      const joined = encode(joinConflicts(own, conflict));
      const isGoing = stored.row.properties.has(GOING);
      if (!isGoing && isSameText(joined.conflict, own)) return undefined;
      operations = toReplacements(joined, stored.row);
    } else if (stored !== undefined) {
      // What nobody can read is kept beside it: it may be all that is left of a value.
      const damaged = await readRowsOf(stored.row, place);
      const copies = damaged.map(toCopyAside);
      await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations: copies });
      operations = toReplacements(row, stored.row, damaged);
    }
    const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
    return outcome.kind === 'committed' ? undefined : { contended: `The conflict ${rowKey}` };
  }, CONTENTION);
}

function isSameText(a: Conflict, b: Conflict): boolean {
  return Buffer.compare(encodeConflict(a), encodeConflict(b)) === 0;
}

function toCopyAside({ rowKey, properties }: TableRow): RowOperation {
  return { kind: 'upsert', rowKey: asideKeyOf(rowKey), properties };
}

/**
 * Returns what the record has to say before the peer is told: an earlier find of the same two transactions may
 * be all that is there yet. Undefined for a marker of a build that noted none.
 */
function readPromised(properties: Properties): Conflict | undefined {
  return properties.has('payload0') ? decodeOrNone(fromPayloadColumns(properties)) : undefined;
}

function saysAll({ fields, life }: Conflict, promised: Conflict | undefined): boolean {
  if (promised === undefined) return true;
  if (promised.life !== undefined && life === undefined) return false;
  const names = new Set(fields.map(({ name }) => name));
  return promised.fields.every(({ name }) => names.has(name));
}

/**
 * What a marker names may be about to be recorded; where whoever was at it was cut off it never is, and after
 * `LOOKS_MAX` the marker goes.
 */
async function lookAgain(
  store: TableStore,
  partitionKey: string,
  { rowKey, etag, properties }: Pick<TableRow, 'rowKey' | 'etag' | 'properties'>,
): Promise<void> {
  const looks = Number(textOf(properties, 'looks') ?? '0') + 1;
  if (looks >= LOOKS_MAX) return forget(store, partitionKey, { rowKey, etag });
  const counted: Properties = new Map([
    ...properties,
    ['looks', { type: 'String', value: String(looks) }],
  ]);
  const operations = [{ kind: 'replace' as const, rowKey, etag, properties: counted }];
  await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
}

/** Deletes the marker; one that is gone or was written again since is left alone. */
async function forget(
  store: TableStore,
  partitionKey: string,
  marker: { readonly rowKey: string; readonly etag: string },
): Promise<void> {
  const operations = [{ kind: 'delete' as const, ...marker }];
  await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
}

/** Joins what is of one row: a transaction takes each row once. */
function joinAlike(conflicts: readonly Conflict[]): readonly Conflict[] {
  const distinct = new Map<string, Conflict>();
  for (const one of conflicts) {
    const key = `${one.entityKind}/${rowKeyOf(one)}`;
    const own = distinct.get(key);
    distinct.set(key, own === undefined ? one : joinConflicts(own, one));
  }
  return [...distinct.values()];
}

/** Returns undefined for what nobody can read: it hides no other, and `tandem damaged-rows` lists it. */
function readConflict(joined: JoinedRows): Conflict | undefined {
  return joined.kind === 'damaged' ? undefined : decodeOrNone(joined.encoded);
}

function decodeOrNone(encoded: Uint8Array): Conflict | undefined {
  try {
    return decodeConflict(encoded);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function rowKeyOf({ stamps, entityId }: Conflict): string {
  const [smaller, greater] = stamps;
  const start = `${greater}~${smaller}~`;
  const entity = encodeRowKey(entityId);
  // The longest ids leave no room for two stamps in a key.
  return start.length + entity.length <= FIRST_KEY_LENGTH_MAX
    ? start + entity
    : start + digest(entity);
}

/** Returns what inserts all rows; of those after the first one some may be left of a first one that is lost. */
function toInsertions(row: EncodedConflict): readonly RowOperation[] {
  const { rowKey, columns } = row;
  const properties = toConflictProperties(row);
  return [{ kind: 'insert', rowKey, properties }, ...toLaterRows(rowKey, columns)];
}

/** Returns what writes the record over the one that is there; of one that is damaged only the rows that are left go. */
function toReplacements(
  row: EncodedConflict,
  first: TableRow,
  damaged?: readonly TableRow[],
): readonly RowOperation[] {
  const { rowKey, columns } = row;
  const later = toLaterRows(rowKey, columns, damaged === undefined ? countIn(first) : 1);
  const written = new Set([rowKey, ...later.map((one) => one.rowKey)]);
  const left = (damaged ?? []).map((one) => one.rowKey).filter((key) => !written.has(key));
  const properties = toConflictProperties(row);
  const { etag } = first;
  return [{ kind: 'replace', rowKey, etag, properties }, ...later, ...toDeletions(left)];
}

/**
 * Names the conflict and what was found lost in it, without the values, so that there is one place to erase
 * them from. Each find has its own, which stays until the record says as much.
 */
function toMarker({ conflict, partitionKey, rowKey }: EncodedConflict): RowOperation {
  const promised = encodeConflict(eraseConflict(conflict));
  const properties: Properties = new Map([
    ['conflictPartition', { type: 'String', value: partitionKey }],
    ['conflictRow', { type: 'String', value: rowKey }],
    ...toPayloadColumns(promised),
  ]);
  const name = `${partitionKey}/${rowKey}/${new TextDecoder().decode(promised)}`;
  return { kind: 'upsert', rowKey: digest(name), properties };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Is what a property takes, in UTF-16 units: the names of all properties of a row may be twice as much. */
const LOST_NAMES_MAX = 32_000;

/** Returns the first row; the columns beside the payload are for people who browse the table. */
function toConflictProperties({ conflict, columns }: EncodedConflict): Properties {
  const [own = []] = columns;
  const lost = conflict.fields.map((field) => field.name).join(',');
  const shown = lost.slice(0, LOST_NAMES_MAX).toWellFormed();
  return new Map([
    ['entityId', { type: 'String', value: conflict.entityId }],
    ['lostFields', { type: 'String', value: shown }],
    ...own,
  ]);
}

function newestFirst(a: Conflict, b: Conflict): number {
  return a.stamps[1] > b.stamps[1] ? -1 : 1;
}
