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
  entityBucketOf,
  eraseConflict,
  forEachBounded,
  joinConflicts,
  KEY_LENGTH_MAX,
  type Properties,
  pagesOf,
  type RowOperation,
  type TableRow,
  type TableStore,
  type UntoldConflict,
  untilUncontended,
} from '@tandem/core';
import { fromPayloadColumns, textOf, toPayloadColumns } from '../rows/entity-row.ts';
import { asideKeyOf, ENTITY_ROWS_FROM, encodeRowKey } from '../rows/row-key.ts';
export const CONFLICTS_TABLE = 'Conflicts';
/** Begins the partitions of what peers are still to be told of; no bucket's partition begins like this. */
export const UNTOLD_PREFIX = '~untold-';

/** Marks a row that is about to be trimmed; whoever writes it takes the mark off. */
export const GOING = 'going';

export interface TableConflictJournalOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  /** One for every kind, or by the kind. */
  readonly bucketCount: number | ((entityKind: string) => number);
  /** Names the regions that are told of what is found here; none by default. */
  readonly peers?: readonly string[];
}

const ROWS_PER_TRANSACTION_MAX = 50;
/** Stays below the 4 MiB of a transaction: a row takes more than its encoded conflict, once more in Base64. */
const BYTES_PER_TRANSACTION_MAX = 1024 * 1024;
const PAGE_ROWS = 500;
const READS_AT_ONCE_MAX = 8;
const CONTENTION = { attemptsMax: 10 };
/** Bounds the looks, of which there is one in each sweep. */
const LOOKS_MAX = 100;

/** A kind that was served before and is no more was a typed one. */
const UNKNOWN_KIND: Pick<EntityKind, 'bucketTextOf'> = { bucketTextOf: (entityId) => entityId };

interface EncodedRow {
  readonly conflict: Conflict;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly bytes: Uint8Array;
}

const TRANSACTION_BOUNDS = {
  countMax: ROWS_PER_TRANSACTION_MAX,
  weightMax: BYTES_PER_TRANSACTION_MAX,
  weigh: ({ bytes }: EncodedRow): number => bytes.length,
};

/**
 * Keeps the table `Conflicts`.
 *
 *     <kind>-<bucket>   <greater stamp>~<smaller stamp>~<entity>   a conflict
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

  const toRow = (conflict: Conflict): EncodedRow => ({
    conflict,
    partitionKey: `${conflict.entityKind}-${bucketOfConflict(conflict)}`,
    rowKey: rowKeyOf(conflict),
    bytes: encodeConflict(conflict),
  });

  const accept = async (conflicts: readonly Conflict[]): Promise<void> => {
    const rows = joinAlike(conflicts).map(toRow);
    for (const [partitionKey, own] of Map.groupBy(rows, (row) => row.partitionKey)) {
      for (const part of chunk(own, TRANSACTION_BOUNDS)) {
        const operations = part.map(toInsert);
        const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
        if (outcome.kind === 'committed') continue;
        await forEachBounded(part, READS_AT_ONCE_MAX, (row) => joinRow(store, row));
      }
    }
  };

  async function* scan(entityKind: string, bucket: string): AsyncGenerator<Conflict> {
    const partitions = `${entityKind}-${bucket}`;
    const range = { table: CONFLICTS_TABLE, partitions, rowsFrom: ENTITY_ROWS_FROM };
    for await (const { rows } of pagesOf((from) =>
      store.query({ ...range, limit: PAGE_ROWS, ...from }),
    )) {
      for (const row of rows) {
        const conflict = readConflict(row);
        if (conflict !== undefined) yield conflict;
      }
    }
  }

  return {
    async record(conflicts) {
      const rows = joinAlike(conflicts).map(toRow);
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
  const read = async (partitionKey: string, rowKey: string): Promise<Conflict | undefined> => {
    const row = await store.get(CONFLICTS_TABLE, partitionKey, rowKey);
    return row && readConflict(row);
  };

  return {
    async untold(peer, page) {
      const partitions = `${UNTOLD_PREFIX}${peer}`;
      const range = { table: CONFLICTS_TABLE, partitions, ...page };
      const { rows, continuation } = await store.query(range);
      const found: UntoldConflict[] = [];
      await forEachBounded(rows, READS_AT_ONCE_MAX, async ({ rowKey, etag, properties }) => {
        const of = (name: string): string => textOf(properties, name) ?? '';
        const conflict = await read(of('conflictPartition'), of('conflictRow'));
        if (conflict === undefined || !saysAll(conflict, readPromised(properties))) {
          await lookAgain(store, partitions, { rowKey, etag, properties });
        } else found.push({ conflict, key: JSON.stringify([rowKey, etag]) });
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

/** Joins the conflict into the row that is there, unless that says as much already. */
async function joinRow(store: TableStore, row: EncodedRow): Promise<void> {
  const { partitionKey, rowKey, conflict } = row;
  await untilUncontended(async () => {
    const stored = await store.get(CONFLICTS_TABLE, partitionKey, rowKey);
    const own = stored && readConflict(stored);
    let operations: readonly RowOperation[] = [toInsert(row)];
    if (stored !== undefined) {
      const bytes = encodeConflict(own === undefined ? conflict : joinConflicts(own, conflict));
      const known = own && fromPayloadColumns(stored.properties);
      const isGoing = stored.properties.has(GOING);
      if (!isGoing && known !== undefined && Buffer.compare(bytes, known) === 0) return undefined;
      const properties = toConflictProperties(decodeConflict(bytes), bytes);
      operations = [{ kind: 'replace', rowKey, etag: stored.etag, properties }];
      // What nobody can read is kept beside it: it may be all that is left of a value.
      const aside = { rowKey: asideKeyOf(rowKey), properties: stored.properties };
      if (own === undefined) operations = [{ kind: 'upsert', ...aside }, ...operations];
    }
    const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
    return outcome.kind === 'committed' ? undefined : { contended: `The conflict ${rowKey}` };
  }, CONTENTION);
}

/**
 * Returns what the record has to say before the peer is told: an earlier find of the same two transactions may
 * be all that is there yet. Undefined for a marker of a build that noted none.
 */
function readPromised(properties: Properties): Conflict | undefined {
  return properties.has('payload0') ? readConflict({ properties }) : undefined;
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

/** Returns undefined for a row that nobody can read: it hides no other, and `tandem damaged-rows` lists it. */
function readConflict({ properties }: Pick<TableRow, 'properties'>): Conflict | undefined {
  try {
    return decodeConflict(fromPayloadColumns(properties));
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
  return start.length + entity.length <= KEY_LENGTH_MAX ? start + entity : start + digest(entity);
}

function toInsert({ conflict, rowKey, bytes }: EncodedRow): RowOperation {
  return { kind: 'insert', rowKey, properties: toConflictProperties(conflict, bytes) };
}

/**
 * Names the conflict and what was found lost in it, without the values, so that there is one place to erase
 * them from. Each find has its own, which stays until the record says as much.
 */
function toMarker({ conflict, partitionKey, rowKey }: EncodedRow): RowOperation {
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

/** The columns beside the payload are for people who browse the table. */
function toConflictProperties(conflict: Conflict, bytes: Uint8Array): Properties {
  const lost = conflict.fields.map((field) => field.name).join(',');
  const shown = lost.slice(0, LOST_NAMES_MAX).toWellFormed();
  return new Map([
    ['entityId', { type: 'String', value: conflict.entityId }],
    ['lostFields', { type: 'String', value: shown }],
    ...toPayloadColumns(bytes),
  ]);
}

function newestFirst(a: Conflict, b: Conflict): number {
  return a.stamps[1] > b.stamps[1] ? -1 : 1;
}
