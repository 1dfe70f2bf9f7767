/**
 * A plain table account in memory, as a process of its own, for runs that are too large for Azurite, which goes over every row of a table
 * for every read: rows are kept in the order of their keys, and found by them, as Azure does. What it has is gone when it ends.
 *
 * It takes the options of Azurite that name its address, serves the account that every emulator publishes, and says that it
 * has started in the same words. The protocol is that of the endpoint; of a table it has neither policies nor a request that is remembered.
 */
import { parseArgs } from 'node:util';
import {
  canonicalValue,
  type FieldValue,
  type KeyBox,
  type KeyRange,
  keyBoxesOf,
  matches,
  TerminalError,
} from '@tandem/core';
import { createSortedMap } from '@tandem/core/memory';
import { createLogger, createRandomIds } from '@tandem/service-kit';
import type { StoredEntity } from '@tandem/table-protocol';
import { createApp } from '../app.ts';
import { createEndpoint } from '../endpoint.ts';
import type { RowWrite, ServedTable, ServedTables, WriteAnswer } from '../served-tables.ts';

const { values } = parseArgs({
  options: {
    tableHost: { type: 'string', default: '127.0.0.1' },
    tablePort: { type: 'string', default: '0' },
  },
  strict: false,
});

const ACCOUNT = {
  account: 'devstoreaccount1',
  keys: [
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  ],
} as const;
/** The service looks at no more for one page, and may have found nothing by then. */
const ROWS_SEEN_MAX = 1_000;
const TICKS_PER_MS = 10_000n;

type Partition = ReturnType<typeof createSortedMap<StoredEntity>>;
type Rows = ReturnType<typeof createSortedMap<Partition>>;

let lastTicks = 0n;

/** Returns the time of a write, each later than the last, as the service tells it in a Timestamp and in an ETag. */
function nextVersion(): Pick<StoredEntity, 'timestamp' | 'etag'> {
  const ticks = BigInt(Date.now()) * TICKS_PER_MS;
  lastTicks = ticks > lastTicks ? ticks : lastTicks + 1n;
  const ms = new Date(Number(lastTicks / TICKS_PER_MS)).toISOString().slice(0, -1);
  const digits = String(lastTicks % TICKS_PER_MS).padStart(4, '0');
  const timestamp = `${ms}${digits}Z`;
  const shown = `${`${ms}${digits}`.replace(/\.?0+$/, '')}Z`;
  return { timestamp, etag: `W/"datetime'${encodeURIComponent(shown)}'"` };
}

function isBelow(key: string, { to }: KeyRange): boolean {
  return to === undefined || key < to.value || (to.isIncluded && key === to.value);
}

function isAbove(key: string, { from }: KeyRange): boolean {
  return from === undefined || key > from.value || (from.isIncluded && key === from.value);
}

interface Position {
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** Yields the rows of a box of keys in order, from a position on. */
function* rowsOf(rows: Rows, box: KeyBox, start: Position): Generator<StoredEntity> {
  const later = (a: string, b: string): string => (a < b ? b : a);
  const from = later(start.partitionKey, box.partitionKey.from?.value ?? '');
  for (const [partitionKey, partition] of rows.entriesFrom(from)) {
    if (!isBelow(partitionKey, box.partitionKey)) return;
    if (!isAbove(partitionKey, box.partitionKey)) continue;
    const resumed = partitionKey === start.partitionKey ? start.rowKey : '';
    for (const [rowKey, row] of partition.entriesFrom(
      later(resumed, box.rowKey.from?.value ?? ''),
    )) {
      if (!isBelow(rowKey, box.rowKey)) break;
      if (isAbove(rowKey, box.rowKey)) yield row;
    }
  }
}

/** Returns one box around all: what lies between them is looked at, and a row of two of them once. */
function around(boxes: readonly KeyBox[]): KeyBox {
  return {
    partitionKey: aroundRanges(boxes.map((box) => box.partitionKey)),
    rowKey: aroundRanges(boxes.map((box) => box.rowKey)),
  };
}

function aroundRanges(ranges: readonly KeyRange[]): KeyRange {
  const froms = ranges.flatMap(({ from }) => (from === undefined ? [] : [from.value])).toSorted();
  const tos = ranges.flatMap(({ to }) => (to === undefined ? [] : [to.value])).toSorted();
  const [from, to] = [froms[0], tos.at(-1)];
  return {
    ...(from === undefined || froms.length < ranges.length
      ? {}
      : { from: { value: from, isIncluded: true } }),
    ...(to === undefined || tos.length < ranges.length
      ? {}
      : { to: { value: to, isIncluded: true } }),
  };
}

function readCursor(cursor: string | undefined): Position {
  if (cursor === undefined) return { partitionKey: '', rowKey: '' };
  try {
    const [partitionKey, rowKey] = JSON.parse(cursor) as [string, string];
    return { partitionKey, rowKey };
  } catch (error) {
    throw new TerminalError('CURSOR_INVALID', 'The cursor was not made here.', { cause: error });
  }
}

function valueOf(row: StoredEntity, name: string): FieldValue | undefined {
  if (name === 'PartitionKey') return { type: 'String', value: row.partitionKey };
  if (name === 'RowKey') return { type: 'String', value: row.rowKey };
  if (name === 'Timestamp') return { type: 'DateTime', value: row.timestamp };
  return row.properties.get(name);
}

function whyNot(write: RowWrite, known: StoredEntity | undefined) {
  const { condition } = write;
  if (condition.kind === 'absent') return known === undefined ? undefined : 'exists';
  if (condition.kind === 'none') {
    return write.kind === 'delete' && known === undefined ? 'missing' : undefined;
  }
  if (known === undefined) return 'missing';
  return condition.kind === 'tag' && condition.tag !== known.etag ? 'other-version' : undefined;
}

function serve(name: string, rows: Rows): ServedTable {
  return {
    name,
    policies: [],
    get: async ({ partitionKey, rowKey }) => rows.get(partitionKey)?.get(rowKey),
    async query({ where, cursor, limit }) {
      const found: StoredEntity[] = [];
      let seen = 0;
      for (const row of rowsOf(rows, around(keyBoxesOf(where)), readCursor(cursor))) {
        if (found.length === limit || seen === ROWS_SEEN_MAX) {
          return { rows: found, cursor: JSON.stringify([row.partitionKey, row.rowKey]) };
        }
        seen += 1;
        if (matches(where, (one) => valueOf(row, one))) found.push(row);
      }
      return { rows: found, cursor: undefined };
    },
    // Nothing is waited for in between, so two transactions never see half of each other.
    async write(writes) {
      return writeAll(rows, writes);
    },
  };
}

function writeAll(rows: Rows, writes: readonly RowWrite[]): WriteAnswer {
  const partitionKey = writes[0]?.keys.partitionKey ?? '';
  const partition = rows.get(partitionKey) ?? createSortedMap<StoredEntity>();
  for (const [index, write] of writes.entries()) {
    const why = whyNot(write, partition.get(write.keys.rowKey));
    if (why !== undefined) return { kind: 'refused', index, why };
  }
  const done = writes.map((write) => {
    const { rowKey } = write.keys;
    if (write.kind === 'delete') {
      partition.delete(rowKey);
      return undefined;
    }
    const kept = write.kind === 'merge' ? (partition.get(rowKey)?.properties ?? []) : [];
    const given = [...write.properties].map(
      ([name, value]) => [name, canonicalValue(value)] as const,
    );
    const properties = new Map([...kept, ...given]);
    const row = { partitionKey, rowKey, ...nextVersion(), properties };
    partition.set(rowKey, row);
    return row;
  });
  if (partition.size > 0) rows.set(partitionKey, partition);
  else rows.delete(partitionKey);
  return { kind: 'done', rows: done };
}

function createTables(): ServedTables {
  const tables = new Map<string, ServedTable>();
  return {
    find: async (name) => tables.get(name.toLowerCase()),
    list: async () => [...tables.values()].map(({ name }) => name).toSorted(),
    async create(name) {
      if (tables.has(name.toLowerCase())) return false;
      tables.set(name.toLowerCase(), serve(name, createSortedMap<Partition>()));
      return true;
    },
    remove: async (name) => tables.delete(name.toLowerCase()),
    setPolicies: async () => false,
    properties: async () => ({}),
    setProperties: async () => undefined,
    syncedAt: async () => undefined,
  };
}

const logger = createLogger({ service: 'table-endpoint', region: 'plain', level: 'error' });
const endpoint = createEndpoint({
  tables: createTables(),
  accounts: [ACCOUNT],
  styleOf: () => ({}),
  nowMs: Date.now,
  newRequestId: createRandomIds(),
  onFailure: (error) => logger.error({ error }, 'A request could not be served.'),
});
const app = createApp({ endpoint, logger });
await app.listen({ host: String(values.tableHost), port: Number(values.tablePort) });
process.stdout.write('The plain tables: successfully started\n');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
