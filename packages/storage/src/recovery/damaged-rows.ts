import {
  AppError,
  bucketNames,
  decodeConflict,
  decodeStoredChangeSet,
  type EntityKind,
  pagesOf,
  type RowRange,
  type TableRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { HORIZON_PARTITION } from '../retention/horizon-rows.ts';
import { fromPayloadColumns, judgeRow } from '../rows/entity-row.ts';
import { asideKeyOf, keyBeforeAside, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
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
  /** Under another key of the same partition, in one transaction: no byte is lost and none is changed. */
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
  const move = async (address: RowAddress, to: string): Promise<RowAddress> => {
    const { table, partitionKey, rowKey } = address;
    const row = await store.get(table, partitionKey, rowKey);
    if (row === undefined) throw missing(address);
    const outcome = await store.commit({
      table,
      partitionKey,
      operations: [
        { kind: 'insert', rowKey: to, properties: row.properties },
        { kind: 'delete', rowKey, etag: row.etag },
      ],
    });
    if (outcome.kind === 'committed') return { table, partitionKey, rowKey: to };
    throw refused(address, `a row ${to} is there, or it was changed meanwhile. Look again`);
  };
  return {
    scan: (depth = 'whole') => scan(options, depth),
    read: ({ table, partitionKey, rowKey }) => store.get(table, partitionKey, rowKey),
    async setAside(address) {
      if (keyBeforeAside(address.rowKey) !== undefined)
        throw refused(address, 'it is aside already');
      return move(address, asideKeyOf(address.rowKey));
    },
    async putBack(address) {
      return move(address, requireAside(address));
    },
    async discard(address) {
      requireAside(address);
      const { table, partitionKey, rowKey } = address;
      const operations = [{ kind: 'delete' as const, rowKey }];
      const outcome = await store.commit({ table, partitionKey, operations });
      if (outcome.kind === 'refused') throw missing(address);
    },
  };
}

function requireAside(address: RowAddress): string {
  const before = keyBeforeAside(address.rowKey);
  if (before === undefined) throw refused(address, 'it was not set aside. Do that first');
  return before;
}

async function* scan(
  options: DamagedRowsOptions,
  depth: 'quick' | 'whole',
): AsyncGenerator<DamagedRowFound> {
  const { store, kind, bucketCount } = options;
  const buckets = bucketNames(bucketCount);
  const look = (row: TableRow): Partial<Problem> | undefined => {
    // How far back the tombstones of a table go.
    if (row.partitionKey === HORIZON_PARTITION) return undefined;
    const isSystem = buckets.includes(row.partitionKey) && row.rowKey >= SYSTEM_ROWS_FROM;
    if (isSystem) return outboxProblem(row, options);
    const judged = judgeRow(row, options);
    return judged.kind === 'damaged' ? judged : undefined;
  };
  for (const range of depth === 'whole' ? [WHOLE] : quickRanges(buckets)) {
    for await (const row of rowsOf(store, kind.name, range)) {
      const found = judge(row, kind.name, () => look(row));
      if (found !== undefined) yield found;
    }
  }
  if (depth === 'quick') return;
  const own = { partitions: { from: `${kind.name}-`, before: `${kind.name}.` } };
  for await (const row of rowsOf(store, ARCHIVE_TABLE, own)) {
    const found = judge(row, ARCHIVE_TABLE, () => {
      decodeStoredChangeSet(fromPayloadColumns(row.properties));
    });
    if (found !== undefined) yield found;
  }
  for await (const row of rowsOf(store, CONFLICTS_TABLE, own)) {
    const found = judge(row, CONFLICTS_TABLE, () => {
      decodeConflict(fromPayloadColumns(row.properties));
    });
    if (found !== undefined) yield found;
  }
}

type Range = Pick<RowRange, 'partitions' | 'rowsFrom'>;

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

function outboxProblem(row: TableRow, { kind, peers }: DamagedRowsOptions): Problem | undefined {
  const [prefix, parkedFor] = SYSTEM_ROW.exec(row.rowKey) ?? [];
  if (prefix === undefined) return { problem: 'no row of ours has this key', isForeign: true };
  fromOutboxRow(row, { entityKind: kind.name, parkedFor });
  if (parkedFor === undefined || peers.length === 0 || peers.includes(parkedFor)) return undefined;
  return {
    problem: `it waits for ${parkedFor}, which is no peer of this region`,
    isForeign: false,
  };
}

async function* rowsOf(store: TableStore, table: string, range: Range): AsyncGenerator<TableRow> {
  const whole = { table, ...range, limit: PAGE_ROWS };
  for await (const page of pagesOf((from) => store.query({ ...whole, ...from }))) yield* page.rows;
}

function missing({ table, partitionKey, rowKey }: RowAddress): TerminalError {
  const message = `There is no row ${table}/${partitionKey}/${rowKey}: list them again.`;
  return new TerminalError('RECOVERY_REFUSED', message);
}

function refused({ table, partitionKey, rowKey }: RowAddress, why: string): TerminalError {
  const message = `Row ${table}/${partitionKey}/${rowKey} stays as it is: ${why}.`;
  return new TerminalError('RECOVERY_REFUSED', message);
}
