import {
  AppError,
  bucketNames,
  decodeConflict,
  decodeStoredChangeSet,
  type EntityKind,
  pagesOf,
  type RowOperation,
  type RowRange,
  type TableRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { checkHorizonRow, HORIZON_PARTITION } from '../retention/horizon-rows.ts';
import { judgeRow } from '../rows/entity-row.ts';
import { asideKeyOf, isLaneKey, keyBeforeAside, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
import { type JoinedRows, joinRows, readRowsOf } from '../rows/set-rows.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { fromOutboxRow } from '../write-path/commit-change-set.ts';

/** Where a row lies. */
export interface RowAddress {
  readonly table: string;
  readonly partitionKey: string;
  readonly rowKey: string;
}

export interface DamagedRowFound extends RowAddress {
  /**
   * `damaged`: it is ours, and nobody can read it; `foreign`: something else wrote it; `aside`: an operator
   * took it out of the way, with all that is in it.
   */
  readonly state: 'damaged' | 'foreign' | 'aside';
  /** Names and numbers, never a value. */
  readonly problem: string;
}

export interface DamagedRows {
  /**
   * Every row of the kind's table, of its archive and of its conflicts that nobody reads. `quick` looks at
   * the outbox and at partitions that are no buckets, and not at every entity. Reads only.
   */
  scan(depth?: 'quick' | 'whole'): AsyncGenerator<DamagedRowFound>;
  read(address: RowAddress): Promise<TableRow | undefined>;
  /** Throws what the move would throw of a row with such an address, whatever is there. */
  check(move: 'set-aside' | 'put-back' | 'discard', address: RowAddress): void;
  /**
   * Under another key of the same partition, in one transaction, with the other rows of a set that has some: no
   * byte is lost and none is changed.
   */
  setAside(address: RowAddress): Promise<RowAddress>;
  /** Takes the address that the row was set aside under. */
  putBack(address: RowAddress): Promise<RowAddress>;
  /** Deletes what was set aside, and nothing else. */
  discard(address: RowAddress): Promise<void>;
}

export interface DamagedRowsOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** Rows parked for anybody else are sent to nobody. */
  readonly peers: readonly string[];
}

const PAGE_ROWS = 500;

/**
 * What can be done about rows that nobody reads: see them, take them out of the way without losing them, and
 * put them back for a build that can read them (ADR 0022).
 */
export function createDamagedRows(options: DamagedRowsOptions): DamagedRows {
  const { store } = options;
  /** Finds the row with the others of its set, if it is one of several. */
  const find = async (address: RowAddress): Promise<readonly TableRow[]> => {
    const { table, partitionKey, rowKey } = address;
    const row = await store.get(table, partitionKey, rowKey);
    if (row === undefined) throw missing(address);
    return isOfSet(address) ? readRowsOf(row, { store, table }) : [row];
  };
  const move = async (
    address: RowAddress,
    toKey: (rowKey: string) => string,
  ): Promise<RowAddress> => {
    const { table, partitionKey } = address;
    const rows = await find(address);
    const rowKey = toKey(address.rowKey);
    const operations = rows.flatMap((row): readonly RowOperation[] => [
      { kind: 'insert', rowKey: toKey(row.rowKey), properties: row.properties },
      { kind: 'delete', rowKey: row.rowKey, etag: row.etag },
    ]);
    const outcome = await store.commit({ table, partitionKey, operations });
    if (outcome.kind === 'committed') return { table, partitionKey, rowKey };
    throw refused(address, `a row ${rowKey} is there, or it was changed meanwhile. Look again`);
  };
  return {
    scan: (depth = 'whole') => scan(options, depth),
    read: ({ table, partitionKey, rowKey }) => store.get(table, partitionKey, rowKey),
    check(move, address) {
      if (move === 'set-aside') requireMovable(address);
      else requireAside(address);
    },
    async setAside(address) {
      requireMovable(address);
      return move(address, asideKeyOf);
    },
    async putBack(address) {
      requireAside(address);
      return move(address, (rowKey) => keyBeforeAside(rowKey) ?? rowKey);
    },
    async discard(address) {
      requireAside(address);
      const { table, partitionKey } = address;
      const rows = await find(address);
      const operations = rows.map(({ rowKey }) => ({ kind: 'delete' as const, rowKey }));
      const outcome = await store.commit({ table, partitionKey, operations });
      if (outcome.kind === 'refused') throw missing(address);
    },
  };
}

function requireMovable(address: RowAddress): void {
  if (keyBeforeAside(address.rowKey) !== undefined) throw refused(address, 'it is aside already');
  if (address.partitionKey !== HORIZON_PARTITION) return;
  throw refused(address, 'without it nobody knows how far back its table goes. Write its time');
}

function requireAside(address: RowAddress): void {
  if (keyBeforeAside(address.rowKey) !== undefined) return;
  throw refused(address, 'it was not set aside. Do that first');
}

/** Tells whether the row may be one of several of a set: an entity may have such a key as well. */
function isOfSet({ table, rowKey }: RowAddress): boolean {
  return table === ARCHIVE_TABLE || table === CONFLICTS_TABLE || isLaneKey(rowKey);
}

async function* scan(
  options: DamagedRowsOptions,
  depth: 'quick' | 'whole',
): AsyncGenerator<DamagedRowFound> {
  const { store, kind, bucketCount } = options;
  const buckets = bucketNames(bucketCount);
  const isSystem = ({ partitionKey, rowKey }: TableRow): boolean =>
    buckets.includes(partitionKey) && rowKey >= SYSTEM_ROWS_FROM;
  const look = (row: TableRow, sets: Sets): Partial<Problem> | undefined => {
    // How far back the tombstones of a table go.
    if (row.partitionKey === HORIZON_PARTITION) {
      checkHorizonRow(kind.name, row);
      return undefined;
    }
    if (isSystem(row)) return outboxProblem(row, sets, options);
    const judged = judgeRow(row, options);
    return judged.kind === 'damaged' ? judged : undefined;
  };
  for (const range of depth === 'whole' ? [WHOLE] : quickRanges(buckets)) {
    for await (const rows of pagesIn(store, kind.name, range)) {
      const sets = await setsIn(rows.filter(isSystem), { store, table: kind.name });
      yield* judgeAll(rows, kind.name, (row) => look(row, sets));
    }
  }
  for (const table of [ARCHIVE_TABLE, CONFLICTS_TABLE]) {
    // Another kind may begin with the name of this one.
    for (const [rowsFrom, rowsBefore] of [
      [kind.name, `${kind.name} `],
      [`${kind.name}~`, `${kind.name}~~`],
    ] as const) {
      const range = { partitions: HORIZON_PARTITION, rowsFrom, rowsBefore };
      for await (const rows of pagesIn(store, table, range)) {
        yield* judgeAll(rows, table, (row) => checkHorizonRow(table, row));
      }
    }
  }
  if (depth === 'quick') return;
  const own = { partitions: { from: `${kind.name}-`, before: `${kind.name}.` } };
  for await (const rows of pagesIn(store, ARCHIVE_TABLE, own)) {
    const sets = await setsIn(rows, { store, table: ARCHIVE_TABLE });
    yield* judgeAll(rows, ARCHIVE_TABLE, (row) => {
      const set = readSet(row, sets);
      if (set !== undefined) decodeStoredChangeSet(set.encoded);
    });
  }
  for await (const rows of pagesIn(store, CONFLICTS_TABLE, own)) {
    const sets = await setsIn(rows, { store, table: CONFLICTS_TABLE });
    yield* judgeAll(rows, CONFLICTS_TABLE, (row) => {
      const set = readSet(row, sets);
      if (set !== undefined) decodeConflict(set.encoded);
    });
  }
}

/** Holds what the rows of a page make, by the row that it is named by. */
type Sets = ReadonlyMap<TableRow, JoinedRows>;

async function setsIn(
  rows: readonly TableRow[],
  place: { readonly store: TableStore; readonly table: string },
): Promise<Sets> {
  const own = rows.filter(({ rowKey }) => keyBeforeAside(rowKey) === undefined);
  return new Map((await joinRows(own, place)).map((joined) => [joined.row, joined]));
}

/** Returns undefined for a row of a set that is named by another. Throws why nobody can read the set. */
function readSet(row: TableRow, sets: Sets): Extract<JoinedRows, { kind: 'set' }> | undefined {
  const joined = sets.get(row);
  if (joined?.kind === 'damaged') throw joined.error;
  return joined;
}

type Range = Pick<RowRange, 'partitions' | 'rowsFrom' | 'rowsBefore'>;

/** Above every partition key that a person would choose. */
const LAST_PARTITION = '\ufffd';
const WHOLE: Range = { partitions: { from: '', before: LAST_PARTITION } };

/** Nothing in a key is smaller than a space, so this is the next key after the bucket's. */
function quickRanges(buckets: readonly string[]): readonly Range[] {
  const gaps = ['', ...buckets.map((bucket) => `${bucket} `)].map((from, index) => ({
    partitions: { from, before: buckets[index] ?? LAST_PARTITION },
  }));
  const outboxes = buckets.map((bucket) => ({ partitions: bucket, rowsFrom: SYSTEM_ROWS_FROM }));
  return [...gaps, ...outboxes];
}

type Problem = { readonly problem: string; readonly isForeign: boolean };

function* judgeAll(
  rows: readonly TableRow[],
  table: string,
  look: (row: TableRow) => Partial<Problem> | undefined | void,
): Generator<DamagedRowFound> {
  for (const row of rows) {
    const found = judge(row, table, () => look(row));
    if (found !== undefined) yield found;
  }
}

function judge(
  row: TableRow,
  table: string,
  look: () => Partial<Problem> | undefined | void,
): DamagedRowFound | undefined {
  const { partitionKey, rowKey } = row;
  const found = (state: DamagedRowFound['state'], problem: string): DamagedRowFound => ({
    table,
    partitionKey,
    rowKey,
    state,
    problem,
  });
  if (keyBeforeAside(rowKey) !== undefined) return found('aside', 'an operator set it aside');
  try {
    const { problem, isForeign } = look() ?? {};
    if (problem === undefined) return undefined;
    return found(isForeign === true ? 'foreign' : 'damaged', problem);
  } catch (error) {
    if (error instanceof AppError) return found('damaged', error.message);
    throw error;
  }
}

const SYSTEM_ROW = /^(?:~o~|~p~([^~]+)~)/;

function outboxProblem(
  row: TableRow,
  sets: Sets,
  { kind, peers }: DamagedRowsOptions,
): Problem | undefined {
  const [prefix, parkedFor] = SYSTEM_ROW.exec(row.rowKey) ?? [];
  if (prefix === undefined) return { problem: 'no row of ours has this key', isForeign: true };
  const set = readSet(row, sets);
  if (set === undefined) return undefined;
  fromOutboxRow(set, { entityKind: kind.name, parkedFor });
  if (parkedFor === undefined || peers.length === 0 || peers.includes(parkedFor)) return undefined;
  return {
    problem: `it waits for ${parkedFor}, which is no peer of this region`,
    isForeign: false,
  };
}

async function* pagesIn(
  store: TableStore,
  table: string,
  range: Range,
): AsyncGenerator<readonly TableRow[]> {
  const whole = { table, ...range, limit: PAGE_ROWS };
  for await (const { rows } of pagesOf((from) => store.query({ ...whole, ...from }))) yield rows;
}

function missing({ table, partitionKey, rowKey }: RowAddress): TerminalError {
  const message = `There is no row ${table}/${partitionKey}/${rowKey}: list them again.`;
  return new TerminalError('RECOVERY_REFUSED', message);
}

function refused({ table, partitionKey, rowKey }: RowAddress, why: string): TerminalError {
  const message = `Row ${table}/${partitionKey}/${rowKey} stays as it is: ${why}.`;
  return new TerminalError('RECOVERY_REFUSED', message);
}
