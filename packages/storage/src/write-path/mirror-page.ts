/**
 * Makes a plain table equal to one of ours, page after page in the order of the keys: docs/adr/0040.
 *
 *     rows of ours behind the position     ─┐
 *                                           ├──► what differs, up to where both pages reach ──► transactions ──► position
 *     rows of the mirror behind it, first  ─┘
 *
 * or, behind a pass, of the rows of ours alone that the store says were written since it began: docs/adr/0047.
 *
 * It goes by what is in the two tables alone, so it does not matter what was done before, by whom, or how often: a pass that is cut
 * off goes on behind what is settled, and what changes behind its back is found by the next. So a deletion needs no mark.
 */
import {
  AppError,
  type Clock,
  chunk,
  decodeOpenId,
  type EntityState,
  encodeOpenId,
  type FieldValue,
  forEachBounded,
  isAlive,
  isSameValue,
  openIdRange,
  operationBytes,
  type Predicate,
  type Properties,
  ROWS_PER_TRANSACTION_MAX,
  type RowOperation,
  type TableMirror,
  type TableStore,
  TerminalError,
  TRANSACTION_BYTES_MAX,
  TransientError,
} from '@tandem/core';
import { type AdoptedRow, createOldTable, type RefusedRow } from '../read/old-table.ts';
import type { OpenRecord, OpenTable } from '../read/open-table.ts';
import { boundsOf, type OpenRowsOptions } from '../read/query-open-rows.ts';
import { judgeRow } from '../rows/entity-row.ts';
import type { StatusRow } from '../status/status-row.ts';
import type { MirrorRecord } from '../status/table-records.ts';
import { retryRead } from '../tables/table-replica.ts';

interface MirrorOptions extends PlainOptions {
  readonly ours: Pick<OpenTable, 'query'>;
  readonly record: Pick<StatusRow<MirrorRecord>, 'look' | 'put'>;
}

/** Is the plain table, and what it is to be equal to. */
interface PlainOptions {
  readonly tableId: string;
  /** The account of the mirror, to read there. */
  readonly store: TableStore;
  /** The same, to write there: each call ends within `MIRROR_WRITE_MS`. */
  readonly writes: Pick<TableStore, 'commit'>;
  /** When the lease ends under which the page is settled, on `clock`: nothing is under way by then. */
  readonly leasedUntilMs: number;
  /** Told of each row there that none of ours can be, and that is left alone; nobody is by default. */
  readonly onForeign?: ((row: RefusedRow) => void) | undefined;
  readonly mirror: TableMirror;
  readonly clock: Clock;
}

interface MirroredPage {
  readonly record: MirrorRecord;
  /** Rows that were read, of both. */
  readonly rows: number;
  /** The pass has ended. */
  readonly isLast: boolean;
}

/** Names the lease, of the region that mirrors, under which alone mirrors of it are written. */
export const MIRROR_LEASE = 'mirror';
/** Bounds a write to a mirror. */
export const MIRROR_WRITE_MS = 3_500;
/** How far apart the clocks of regions, of processes and of who returns a table may be: docs/adr/0047. */
export const CLOCKS_MS_MAX = 5_000;
/** A write begins no later than so long before the lease ends: it takes its time, and clocks differ. */
const LEASE_MARGIN_MS = MIRROR_WRITE_MS + CLOCKS_MS_MAX;
const COMMITS_MAX = 3;
const COMMIT_DELAY_MS = 500;

const PAGE_ROWS = 1_000;
const PARTITIONS_AT_ONCE = 8;
/** A page is this large at least of each bucket, however many there are. */
const CHANGES_MIN = 50;
const GETS_AT_ONCE = 32;
const REFUSAL_LENGTH_MAX = 300;
/** Is less than a store takes at once: some of that is for its envelope. */
const BYTES_PER_TRANSACTION_MAX = TRANSACTION_BYTES_MAX / 2;

/** Settles the next page. Throws what the stores throw; what was written by then is found again. */
export async function mirrorPage(options: MirrorOptions): Promise<MirroredPage> {
  const { tableId, mirror, store, clock, ours } = options;
  const seen = await options.record.look();
  const known =
    seen.kind === 'value' && seen.value.sinceMs === mirror.sinceMs ? seen.value : undefined;
  const startedMs = clock.nowMs();
  const record = known ?? { ...NOTHING, sinceMs: mirror.sinceMs };
  const isFirst = record.behind === '';
  if (isFirst) await makeTable(store, mirror.table);
  const mirrored = await readMirror(record.behind, options);
  // After the mirror, which nobody else writes: what is here now is what it is to be.
  const own = await readOurs(record.behind, { ours, tableId });
  const page = decideMirrorPage(own, mirrored);
  const settled = await settle(page.operations, options);
  const refused = (isFirst ? 0 : record.refused) + settled.refused;
  const read = (isFirst ? 0 : record.read) + page.ours;
  const isLast = page.through === undefined;
  const passStartedMs = isFirst ? startedMs : record.passStartedMs;
  const next: MirrorRecord = {
    ...record,
    behind: page.through ?? '',
    passStartedMs,
    read,
    written: record.written + settled.written,
    deleted: record.deleted + settled.deleted,
    refused,
    refusal: settled.refusal || (isFirst && record.refusedBefore === 0 ? '' : record.refusal),
    trouble: '',
    ...(isLast
      ? {
          equalMs: passStartedMs,
          passMs: clock.nowMs() - passStartedMs,
          passes: record.passes + 1,
          rows: read,
          refusedBefore: refused,
        }
      : {}),
  };
  await options.record.put(next);
  return { record: next, rows: page.ours + page.mirrored, isLast };
}

interface ChangesOptions extends PlainOptions {
  /** Our rows of the kind; those of the table are all that is read. */
  readonly rows: Pick<
    OpenRowsOptions,
    'store' | 'kind' | 'bucketCount' | 'randomness' | 'onDamaged'
  >;
  /** By the clock of the store that has our rows. */
  readonly writtenFromMs: number;
  /** Says of each bucket that is left where its store goes on, which is undefined at its beginning. */
  readonly left: ReadonlyMap<string, string | undefined>;
}

interface MirroredChanges {
  readonly left: ReadonlyMap<string, string | undefined>;
  readonly compared: number;
  /** Rows that were written to the mirror, or deleted there. */
  readonly settled: number;
  /** How many rows more than before the mirror has, less than 0 where it has fewer. */
  readonly gained: number;
  /** Says why a row cannot be in the mirror; undefined where each can. */
  readonly refusal: string | undefined;
}

/**
 * Settles a page, of each bucket that is left, of our rows that were written since a moment, tombstones among them. A row that is taken
 * away leaves nothing to find: whoever calls knows that none that was alive at that moment was. Throws as `mirrorPage` does.
 */
export async function mirrorChanges(options: ChangesOptions): Promise<MirroredChanges> {
  const { rows, left, writtenFromMs, tableId, store, mirror, clock } = options;
  const { kind, randomness } = rows;
  const retried = { clock, randomness };
  const bounds = boundsOf(openIdRange(tableId, EVERY_KEY));
  const limit = Math.max(CHANGES_MIN, Math.floor(PAGE_ROWS / left.size));
  const onwards = new Map<string, string | undefined>();
  const changed: ChangedRow[] = [];
  await forEachBounded(left, PARTITIONS_AT_ONCE, async ([bucket, continuation]) => {
    const asked = { table: kind.name, partitions: bucket, ...bounds, limit, writtenFromMs };
    const goneOn = continuation === undefined ? asked : { ...asked, continuation };
    const page = await retryRead(() => rows.store.query(goneOn), retried);
    if (page.continuation !== undefined) onwards.set(bucket, page.continuation);
    for (const row of page.rows) {
      const judged = judgeRow(row, rows);
      if (judged.kind === 'damaged') rows.onDamaged?.(judged);
      else changed.push(judged.row);
    }
  });
  const plain = createOldTable({ store, table: mirror.table, tableId });
  const own: OwnRow[] = [];
  const mirrored: MirrorRow[] = [];
  await forEachBounded(changed, GETS_AT_ONCE, async ({ entityId, state }) => {
    const key = decodeOpenId(entityId);
    if (key === undefined) return;
    const there = await retryRead(() => plain.get(key), retried);
    if (there !== undefined) mirrored.push({ ...key, entityId, values: valuesOf(there) });
    if (isAlive(state)) own.push({ ...key, entityId, values: valuesOf(state) });
  });
  const all = { through: undefined };
  const page = decideMirrorPage({ ...all, rows: own }, { ...all, rows: mirrored });
  const { written, deleted, refused, refusal } = await settle(page.operations, options);
  return {
    left: onwards,
    compared: changed.length,
    settled: written + deleted,
    gained: page.ours - page.mirrored,
    refusal: refused === 0 ? undefined : refusal,
  };
}

interface ChangedRow {
  readonly entityId: string;
  readonly state: EntityState;
}

const EVERY_KEY = { partitionKey: {}, rowKey: {} };

function valuesOf({ fields }: EntityState): Properties {
  const values = new Map<string, FieldValue>();
  for (const [name, { value }] of fields) if (value !== null) values.set(name, value);
  return values;
}

/** Who may not make tables may yet be let into one that is there; where it is not, reading says so. */
async function makeTable(store: TableStore, table: string): Promise<void> {
  try {
    await store.createTable(table);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'TABLE_FORBIDDEN') throw error;
  }
}

const NOTHING: MirrorRecord = {
  sinceMs: 0,
  behind: '',
  passStartedMs: 0,
  equalMs: 0,
  passMs: 0,
  passes: 0,
  rows: 0,
  read: 0,
  written: 0,
  deleted: 0,
  refused: 0,
  refusedBefore: 0,
  refusal: '',
  trouble: '',
};

/** Rows behind a position, in the order of their ids; `through` is how far they are all there are, undefined for the end. */
interface Stretch<Row> {
  readonly rows: readonly Row[];
  readonly through: string | undefined;
}

type OwnRow = Pick<OpenRecord, 'partitionKey' | 'rowKey' | 'values'> & {
  readonly entityId: string;
};
type MirrorRow = Pick<AdoptedRow, 'partitionKey' | 'rowKey' | 'entityId'> & {
  readonly values: Properties;
};

interface PlacedOperation {
  readonly partitionKey: string;
  readonly operation: RowOperation;
}

interface PageDecision {
  readonly operations: readonly PlacedOperation[];
  /** The id up to which all is settled then; undefined at the end of both tables. */
  readonly through: string | undefined;
  readonly ours: number;
  readonly mirrored: number;
}

/** Decides what makes a stretch of the mirror equal to ours, as far as both were read. */
export function decideMirrorPage(
  ours: Stretch<OwnRow>,
  mirrored: Stretch<MirrorRow>,
): PageDecision {
  const ends = [ours.through, mirrored.through].filter((end) => end !== undefined);
  const through = ends.length === 0 ? undefined : ends.toSorted()[0];
  const isWithin = ({ entityId }: { readonly entityId: string }): boolean =>
    through === undefined || entityId <= through;
  const own = new Map(ours.rows.filter(isWithin).map((row) => [row.entityId, row]));
  const there = new Map(mirrored.rows.filter(isWithin).map((row) => [row.entityId, row]));
  const operations: PlacedOperation[] = [];
  for (const [entityId, { partitionKey, rowKey, values }] of own) {
    const before = there.get(entityId)?.values;
    if (before !== undefined && isSame(before, values)) continue;
    operations.push({ partitionKey, operation: { kind: 'upsert', rowKey, properties: values } });
  }
  for (const [entityId, { partitionKey, rowKey }] of there) {
    if (!own.has(entityId))
      operations.push({ partitionKey, operation: { kind: 'delete', rowKey } });
  }
  return { operations, through, ours: own.size, mirrored: there.size };
}

function isSame(a: Properties, b: Properties): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([name, value]) => {
    const other = b.get(name);
    return other !== undefined && isSameValue(value, other);
  });
}

async function readOurs(
  behind: string,
  { ours, tableId }: Pick<MirrorOptions, 'ours' | 'tableId'>,
): Promise<Stretch<OwnRow>> {
  const rows: OwnRow[] = [];
  const where = behind === '' ? undefined : isBehind(behind);
  let cursor: string | undefined;
  do {
    const page = await ours.query({ where, limit: PAGE_ROWS, ...(cursor && { cursor }) });
    for (const row of page.records) rows.push({ ...row, entityId: encodeOpenId(tableId, row) });
    ({ cursor } = page);
    // A page may be empty and not be the last.
  } while (cursor !== undefined && rows.length === 0);
  return { rows, through: cursor === undefined ? undefined : rows.at(-1)?.entityId };
}

function isBehind(behind: string): Predicate {
  const key = decodeOpenId(behind);
  if (key === undefined) {
    throw new TerminalError(
      'ROW_MALFORMED',
      'The position of a mirror is no id of a row. End it, and begin anew.',
    );
  }
  const compare = (name: string, operator: 'eq' | 'gt', value: string): Predicate => ({
    kind: 'compare',
    name,
    operator,
    value: { type: 'String', value },
  });
  const { partitionKey, rowKey } = key;
  const within: Predicate = {
    kind: 'and',
    parts: [compare('PartitionKey', 'eq', partitionKey), compare('RowKey', 'gt', rowKey)],
  };
  return { kind: 'or', parts: [within, compare('PartitionKey', 'gt', partitionKey)] };
}

async function readMirror(
  behind: string,
  { store, mirror, tableId, onForeign }: PlainOptions,
): Promise<Stretch<MirrorRow>> {
  // It is read as an old table is: a row that none of ours can be is left out, and left alone.
  const plain = createOldTable({ store, table: mirror.table, tableId, onRefused: onForeign });
  const whole = openIdRange(tableId, EVERY_KEY);
  let range: typeof whole | undefined =
    behind === '' ? whole : { ...whole, from: { value: behind, isIncluded: false } };
  let continuation: string | undefined;
  const rows: MirrorRow[] = [];
  do {
    const page = await plain.page({ range, limit: PAGE_ROWS, continuation, where: undefined });
    for (const { state, ...key } of page.rows) rows.push({ ...key, values: valuesOf(state) });
    range = page.rest;
    continuation = page.continuation;
  } while (range !== undefined && rows.length === 0);
  return { rows, through: range === undefined ? undefined : rows.at(-1)?.entityId };
}

interface Settled {
  written: number;
  deleted: number;
  refused: number;
  refusal: string;
}

async function settle(
  operations: readonly PlacedOperation[],
  options: PlainOptions,
): Promise<Settled> {
  const { table } = options.mirror;
  const settled: Settled = { written: 0, deleted: 0, refused: 0, refusal: '' };
  const byPartition = Map.groupBy(operations, ({ partitionKey }) => partitionKey);
  await forEachBounded(byPartition, PARTITIONS_AT_ONCE, async ([partitionKey, own]) => {
    const bounds = {
      countMax: ROWS_PER_TRANSACTION_MAX,
      weightMax: BYTES_PER_TRANSACTION_MAX,
      weigh: (operation: RowOperation) => operationBytes(partitionKey, operation),
    };
    const commit = async (part: readonly RowOperation[]): Promise<void> => {
      const outcome = await commitOrTell({ table, partitionKey, operations: part }, options);
      const isDone = outcome.kind === 'committed';
      // One that somebody else has deleted is gone all the same.
      if (!isDone && part.length > 1) {
        for (const one of part) await commit([one]);
        return;
      }
      if (outcome.kind === 'impossible') {
        settled.refused += 1;
        const row = JSON.stringify([partitionKey, part[0]?.rowKey]);
        settled.refusal = `${row}: ${outcome.error.message}`.slice(0, REFUSAL_LENGTH_MAX);
        return;
      }
      for (const { kind } of part) settled[kind === 'delete' ? 'deleted' : 'written'] += 1;
    };
    const all = own.map(({ operation }) => operation);
    for (const part of chunk(all, bounds)) await commit(part);
  });
  return settled;
}

async function commitOrTell(
  transaction: Parameters<TableStore['commit']>[0],
  { writes, clock, leasedUntilMs }: PlainOptions,
): Promise<
  | Awaited<ReturnType<TableStore['commit']>>
  | { readonly kind: 'impossible'; readonly error: AppError }
> {
  for (let attempt = 1; ; attempt += 1) {
    // Whoever has the lease next may give the mirror to clients: what comes late would overwrite them.
    if (clock.nowMs() > leasedUntilMs - LEASE_MARGIN_MS) {
      throw new TransientError(
        'TABLE_UNAVAILABLE',
        `A page of the mirror ${transaction.table} took longer than its lease. It is settled again from where it was.`,
      );
    }
    try {
      return await writes.commit(transaction);
    } catch (error) {
      const isOfRow =
        error instanceof TerminalError &&
        (error.code === 'TABLE_LIMIT_EXCEEDED' || error.code === 'TABLE_REQUEST_INVALID');
      if (isOfRow) return { kind: 'impossible', error };
      if (!(error instanceof TransientError) || attempt === COMMITS_MAX) throw error;
      await clock.sleep(error.retryAfterMs ?? COMMIT_DELAY_MS);
    }
  }
}
