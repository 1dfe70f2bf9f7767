// What follows from the records of the catalogue: which table there is, and what may be done with it. Pure: whoever
// has the same records decides the same, in every region.
import { TerminalError } from '../errors.ts';
import type { MergePolicy } from '../state/write-entity.ts';
import { readInstantMs } from '../time/instant.ts';
import {
  type CatalogRecord,
  formatGeneration,
  GENERATIONS_MAX,
  isGeneration,
  readGeneration,
  readRecordId,
  recordIdOf,
} from './catalog-kind.ts';
import { decodeMirror, type ReadMirror } from './table-mirror.ts';
import { decodeOrigin, encodeOrigin, type TableMove, UNREADABLE_ORIGIN } from './table-move.ts';
import { type ReadSource, readable, type TableSource, UNREADABLE } from './table-source.ts';

/** What may be stated of a table. */
export interface TableSettings {
  /** `row` by default; never changed while the table lives. */
  readonly policy?: MergePolicy;
  /** `all` by default; never changed while the table lives. */
  readonly replicate?: 'all' | 'none';
  /** In milliseconds, like the next two; the setting of each region where it is undefined. May be changed. */
  readonly tombstoneAgeMs?: number;
  readonly archiveKeepMs?: number;
  readonly conflictsKeepMs?: number;
  /** Stored access policies, as the service's document. */
  readonly acl?: string;
}

/** The settings that say how long something of a table is kept. They may be changed while it lives. */
export const KEEP_SETTINGS = ['tombstoneAgeMs', 'archiveKeepMs', 'conflictsKeepMs'] as const;

/** A table between its creation and its deletion: created again it is another. */
export interface TableGeneration {
  /** As it was spelt. */
  readonly name: string;
  /** In lower case: the name by which it is found. */
  readonly key: string;
  readonly generation: number;
  readonly policy: MergePolicy;
  /** Unreadable where a newer build wrote to which regions it goes: then its source is too, and it is not served. */
  readonly replicate: 'all' | 'none' | typeof UNREADABLE;
  readonly tombstoneAgeMs: number | undefined;
  readonly archiveKeepMs: number | undefined;
  readonly conflictsKeepMs: number | undefined;
  readonly acl: string | undefined;
  /**
   * Where its rows come from, or came from, where it was taken over; undefined for a table that was made here. Unreadable
   * where anything is that its rows depend on.
   */
  readonly source: ReadSource | undefined;
  /** How it moves, or moved, to another space; undefined where its rows have always been in the first. */
  readonly move: TableMove | undefined;
  /** The plain table that is kept equal to it; undefined where there is none. */
  readonly mirror: ReadMirror | undefined;
  /** The generation whose rows it shows: its own, unless it was restored. */
  readonly rowsOf: number;
  /** Undefined where only its deletion is known here so far. */
  readonly createdMs: number | undefined;
  /** Undefined while it lives; infinite where nobody can read the time. */
  readonly deletedMs: number | undefined;
  /** When it was said that its rows go; of the last life that showed them only where that had ended before. */
  readonly purgedMs: number | undefined;
}

/** A record as a region has it. */
export interface StoredRecord {
  readonly entityId: string;
  /** Undefined where it was taken away, or nobody can read it: that there was one counts all the same. */
  readonly entity: CatalogRecord | undefined;
}

/** Every generation there ever was, by the lower-case names of the tables, the oldest first. */
export type Catalogue = ReadonlyMap<string, readonly TableGeneration[]>;

export function readCatalogue(records: Iterable<StoredRecord>): Catalogue {
  const tables = new Map<string, Map<number, TableGeneration>>();
  for (const { entityId, entity } of records) {
    const id = readRecordId(entityId);
    if (id === undefined) continue;
    const generations = tables.get(id.key) ?? new Map<number, TableGeneration>();
    tables.set(id.key, generations);
    const known = generations.get(id.generation) ?? unknownGeneration(id.key, id.generation);
    generations.set(
      id.generation,
      id.isDeletion ? withDeletion(known, entity) : withCreation(known, entity),
    );
  }
  return new Map(
    [...tables].map(([key, generations]) => [
      key,
      [...generations.values()].toSorted((a, b) => a.generation - b.generation),
    ]),
  );
}

function unknownGeneration(key: string, generation: number): TableGeneration {
  return {
    name: key,
    key,
    generation,
    policy: 'row',
    replicate: 'all',
    tombstoneAgeMs: undefined,
    archiveKeepMs: undefined,
    conflictsKeepMs: undefined,
    acl: undefined,
    source: undefined,
    move: undefined,
    mirror: undefined,
    rowsOf: generation,
    createdMs: undefined,
    deletedMs: undefined,
    purgedMs: undefined,
  };
}

/** Whoever sent the record: what its writers check is checked again where it counts. */
function withCreation(known: TableGeneration, record: CatalogRecord | undefined): TableGeneration {
  const rowsOf = record && rowsOfCreation(known, record);
  if (record === undefined || rowsOf === undefined) return known;
  const policy = wordIn(record.policy, POLICIES);
  const replicate = wordIn(record.replicate, REPLICATES);
  // Served at a guess its rows would merge otherwise than elsewhere, or be in regions that are not to have them.
  const isReadable = policy !== undefined && replicate !== undefined;
  const origin = isReadable ? decodeOrigin(record.source) : UNREADABLE_ORIGIN;
  return {
    ...known,
    name: record.name?.toLowerCase() === known.key ? record.name : known.key,
    policy: policy ?? 'row',
    replicate: replicate ?? UNREADABLE,
    tombstoneAgeMs: toAgeMs(record.tombstoneAgeMs),
    archiveKeepMs: toNumber(record.archiveKeepMs),
    conflictsKeepMs: toNumber(record.conflictsKeepMs),
    acl: record.acl ?? undefined,
    ...origin,
    mirror: record.mirror === null ? undefined : decodeMirror(record.mirror),
    rowsOf,
    createdMs: toMs(record.createdAt) ?? 0,
  };
}

const POLICIES = ['row', 'field'] as const;
const REPLICATES = ['all', 'none'] as const;

/** Returns the first of the words where none is said; undefined for what none of them is, such as the word of a newer build. */
function wordIn<W extends string>(said: string | null, words: readonly [W, ...W[]]): W | undefined {
  return said === null ? words[0] : words.find((word) => word === said);
}

/** Undefined where nobody can say whose rows it shows: then it is as if its creation could not be read. */
function rowsOfCreation(
  { generation }: TableGeneration,
  { rowsOf }: CatalogRecord,
): number | undefined {
  if (rowsOf === null) return generation;
  const shown = isGeneration(rowsOf) ? readGeneration(rowsOf) : undefined;
  return shown !== undefined && shown <= generation ? shown : undefined;
}

function toAgeMs(value: bigint | null): number | undefined {
  const ageMs = toNumber(value);
  return ageMs === undefined ? undefined : Math.max(ageMs, TOMBSTONE_AGE_MS_MIN);
}

function withDeletion(known: TableGeneration, record: CatalogRecord | undefined): TableGeneration {
  // Of a deletion whose time nobody can read it is certain all the same that there was one: its rows are kept for ever.
  const deletedMs = toMs(record?.deletedAt ?? null) ?? Number.POSITIVE_INFINITY;
  return { ...known, deletedMs, purgedMs: toMs(record?.purgedAt ?? null) };
}

function toMs(text: string | null): number | undefined {
  return text === null ? undefined : readInstantMs(text);
}

function toNumber(value: bigint | null): number | undefined {
  return value === null ? undefined : Number(value);
}

/** Tells whether it was created, as far as is known here, and never deleted. */
export function isLiving({ createdMs, deletedMs }: TableGeneration): boolean {
  return createdMs !== undefined && deletedMs === undefined;
}

/** Returns the table that a name stands for: of the generations that live the highest. */
export function currentTable(
  generations: readonly TableGeneration[] | undefined,
): TableGeneration | undefined {
  return generations?.findLast(isLiving);
}

export type CreateDecision =
  | { readonly kind: 'exists'; readonly table: TableGeneration }
  | { readonly kind: 'create'; readonly generation: number };

/**
 * Decides on the creation of a table. Throws `TABLE_REQUEST_INVALID` where one of that name lives with another merge
 * policy or replication than is asked for, and where every number is used.
 */
export function decideCreate(
  name: string,
  settings: TableSettings,
  generations: readonly TableGeneration[] = [],
): CreateDecision {
  const table = currentTable(generations);
  if (table === undefined) return { kind: 'create', generation: nextGeneration(name, generations) };
  checkFixed(table, settings);
  return { kind: 'exists', table };
}

/** Below it a tombstone might go before a write that was stamped earlier is answered, or a clock is that far off. */
export const TOMBSTONE_AGE_MS_MIN = 3_600_000;

/** Throws `TABLE_REQUEST_INVALID` for settings that no region follows, before anything is written. */
export function checkSettings(
  name: string,
  { replicate, tombstoneAgeMs }: TableSettings,
  {
    tombstoneAgeMsMin = TOMBSTONE_AGE_MS_MIN,
  }: { readonly tombstoneAgeMsMin?: number | undefined } = {},
): void {
  // Settings come from callers without types as well.
  if (replicate !== undefined && !REPLICATES.includes(replicate)) {
    throw new TerminalError(
      'TABLE_REQUEST_INVALID',
      `Table ${name}: replicate is ${JSON.stringify(replicate)}. A table goes to all regions or to none: a list of ` +
        'regions is not followed yet. Use "all" or "none".',
      { details: { table: name, setting: 'replicate' } },
    );
  }
  if (tombstoneAgeMs === undefined || tombstoneAgeMs >= tombstoneAgeMsMin) return;
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `Table ${name}: tombstoneAgeMs is ${tombstoneAgeMs}. It is at least ${tombstoneAgeMsMin}, or what is under way ` +
      'could come after the tombstone has gone.',
    { details: { table: name, setting: 'tombstoneAgeMs' } },
  );
}

/** Throws `TABLE_REQUEST_INVALID` for a setting that a living table does not change. */
export function checkFixed(table: TableGeneration, settings: TableSettings): void {
  for (const setting of ['policy', 'replicate'] as const) {
    const asked = settings[setting];
    if (asked === undefined || asked === table[setting]) continue;
    throw new TerminalError(
      'TABLE_REQUEST_INVALID',
      `Table ${table.name} has the ${setting} "${table[setting]}", and "${asked}" was asked for: it is fixed while the ` +
        'table lives. Delete the table, or use another name.',
      { details: { table: table.name, setting } },
    );
  }
}

/**
 * Decides how a plain table comes to be one of the catalogue: as a new generation, so that nothing an earlier life left hides
 * a row of it. Throws `TABLE_REQUEST_INVALID` where a table of that name lives that is not taken over from there.
 */
export function decideAdopt(
  name: string,
  { home, from, table }: Pick<TableSource, 'home' | 'from' | 'table'>,
  generations: readonly TableGeneration[] = [],
): CreateDecision {
  const current = currentTable(generations);
  if (current === undefined) {
    return { kind: 'create', generation: nextGeneration(name, generations) };
  }
  const source = readable(current.source);
  const isSame = source?.home === home && source.from === from && source.table === table;
  if (isSame) return { kind: 'exists', table: current };
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `Table ${current.name} exists, and is not taken over from ${table} of ${from} in ${home}: its rows would hide those ` +
      'of the old one. Delete it, or adopt under another name.',
    { details: { table: current.name } },
  );
}

/** Returns the number of the generation that comes next. Throws `TABLE_REQUEST_INVALID` where every one is used. */
export function nextGeneration(name: string, generations: readonly TableGeneration[]): number {
  const next = (generations.at(-1)?.generation ?? -1) + 1;
  if (next < GENERATIONS_MAX) return next;
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `Table ${name} was created ${GENERATIONS_MAX} times, which is the limit. Use another name.`,
  );
}

/** Returns the generations that a deletion ends: all that live, or an older one would show up in its place. */
export function decideDelete(
  generations: readonly TableGeneration[] = [],
): readonly TableGeneration[] {
  return generations.filter(isLiving);
}

export interface RestoreDecision {
  /** Is the new generation. */
  readonly generation: number;
  /** Whose settings it gets. */
  readonly from: TableGeneration;
  /** Says where the rows lie and come from: of the generations that showed them the last, whichever is asked for. */
  readonly last: TableGeneration;
  /** Whose rows it shows. */
  readonly rowsOf: number;
}

/**
 * Decides how what was deleted comes back: as a new generation that shows the rows of an old one, by default of the last.
 * Throws `TABLE_REQUEST_INVALID` where a table of that name lives, where none was deleted, and where the rows may be gone.
 */
export function decideRestore(
  name: string,
  generations: readonly TableGeneration[] = [],
  {
    generation,
    nowMs,
    keepMs,
  }: { readonly generation?: number | undefined; readonly nowMs: number; readonly keepMs: number },
): RestoreDecision {
  const refuse = (why: string): TerminalError =>
    new TerminalError('TABLE_REQUEST_INVALID', `Table ${name} cannot be restored: ${why}`);
  if (currentTable(generations) !== undefined) {
    throw refuse('one of that name exists. Delete it first.');
  }
  const from = generations.findLast(
    (one) =>
      one.createdMs !== undefined && (generation === undefined || one.generation === generation),
  );
  if (from === undefined) {
    const which = generation === undefined ? 'table' : `generation ${formatGeneration(generation)}`;
    throw refuse(`no ${which} of that name was deleted.`);
  }
  const last = lastOfRows(generations, from);
  if (last.source === UNREADABLE) {
    throw refuse('where its rows come from can only be read by a newer build. Upgrade this one.');
  }
  const keptUntilMs = lastShownMs(generations, from.rowsOf) + keepMs;
  if (isMarked(generations, from.rowsOf) || nowMs >= keptUntilMs) {
    throw refuse(`its rows were kept until ${new Date(keptUntilMs).toISOString()}.`);
  }
  return { generation: nextGeneration(name, generations), from, last, rowsOf: from.rowsOf };
}

/** Returns the last generation that showed the rows of one: they may have moved, or been proven, since that one was deleted. */
function lastOfRows(
  generations: readonly TableGeneration[],
  one: TableGeneration,
): TableGeneration {
  return (
    generations.findLast(
      ({ createdMs, rowsOf }) => createdMs !== undefined && rowsOf === one.rowsOf,
    ) ?? one
  );
}

/**
 * Returns when the last generation that showed these rows was deleted; never, while one lives. Of one whose creation
 * nobody can read, or has not come yet, nobody knows whose rows it showed: it may be these.
 */
function lastShownMs(generations: readonly TableGeneration[], rowsOf: number): number {
  const shown = generations.filter(
    (one) =>
      one.rowsOf === rowsOf ||
      one.generation === rowsOf ||
      (one.createdMs === undefined && one.generation > rowsOf),
  );
  return Math.max(...shown.map(({ deletedMs }) => deletedMs ?? Number.POSITIVE_INFINITY));
}

/**
 * Tells whether it was said of rows that they go, and no generation has shown them since: a restoration that had not
 * heard of it counts, and once it is deleted too they are kept as long as those of any other.
 */
function isMarked(generations: readonly TableGeneration[], rowsOf: number): boolean {
  const purgedMs = generations.find(({ generation }) => generation === rowsOf)?.purgedMs;
  return purgedMs !== undefined && purgedMs > lastShownMs(generations, rowsOf);
}

/**
 * Lists the generations of which it is to be said that their own rows go: each that shows them was deleted before the
 * horizon, and no restoration can be under way. The horizon is a time that every peer has passed, less the time for
 * which rows are kept.
 */
export function findPurgeable(
  generations: readonly TableGeneration[],
  horizonMs: number,
): readonly TableGeneration[] {
  return generations.filter(
    ({ generation, deletedMs }) =>
      deletedMs !== undefined &&
      !isMarked(generations, generation) &&
      lastShownMs(generations, generation) < horizonMs,
  );
}

/**
 * Lists the generations whose own rows go here: it was said of them before a time of which every region has said that
 * it has applied all that was written before, so none restores them any more.
 */
export function findPurged(
  generations: readonly TableGeneration[],
  appliedMs: number,
): readonly TableGeneration[] {
  return generations.filter(
    ({ generation, purgedMs }) =>
      purgedMs !== undefined && purgedMs < appliedMs && isMarked(generations, generation),
  );
}

/** Returns the record of a table that is created now. */
export function toCreation(
  name: string,
  settings: TableSettings,
  {
    nowMs,
    rowsOf,
    source,
    move,
  }: {
    readonly nowMs: number;
    readonly rowsOf?: number | undefined;
    readonly source?: TableSource | undefined;
    readonly move?: TableMove | undefined;
  },
): Partial<CatalogRecord> {
  const { policy = 'row', replicate = 'all', acl } = settings;
  return {
    name,
    policy,
    replicate,
    tombstoneAgeMs: toInt64(name, 'tombstoneAgeMs', settings.tombstoneAgeMs),
    archiveKeepMs: toInt64(name, 'archiveKeepMs', settings.archiveKeepMs),
    conflictsKeepMs: toInt64(name, 'conflictsKeepMs', settings.conflictsKeepMs),
    acl: acl ?? null,
    source: encodeOrigin({ source, move }),
    rowsOf: rowsOf === undefined ? null : formatGeneration(rowsOf),
    createdAt: new Date(nowMs).toISOString(),
  };
}

/** Returns what a change of the settings changes of the record of a living table: what it names. */
export function toChange(name: string, settings: TableSettings): Partial<CatalogRecord> {
  const changed: Partial<CatalogRecord> = {};
  for (const setting of KEEP_SETTINGS) {
    const value = settings[setting];
    if (value !== undefined) changed[setting] = toInt64(name, setting, value);
  }
  return settings.acl === undefined ? changed : { ...changed, acl: settings.acl };
}

function toInt64(table: string, setting: string, value: number | undefined): bigint | null {
  if (value === undefined) return null;
  if (Number.isSafeInteger(value) && value > 0) return BigInt(value);
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `Table ${table}: ${setting} is ${value}. It is a whole number of milliseconds, at least 1.`,
  );
}

/** Returns the record that a table is deleted now. */
export function toDeletion(
  { name, key, generation }: TableGeneration,
  nowMs: number,
): StoredDeletion {
  return {
    entityId: recordIdOf(key, generation, 'deletion'),
    entity: { name, deletedAt: new Date(nowMs).toISOString() },
  };
}

/** Returns what is written into a record of a deletion when its rows go. */
export function toPurge(nowMs: number): Partial<CatalogRecord> {
  return { purgedAt: new Date(nowMs).toISOString() };
}

export interface StoredDeletion {
  readonly entityId: string;
  readonly entity: Partial<CatalogRecord>;
}
