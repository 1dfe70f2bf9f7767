import { inflateSync } from 'node:zlib';
import type { RowOperation, TableRow, Transaction } from '@tandem/core';

/*
 * What a set that is cut looks like is written down here once more, so that whoever watches sees each as one, and the
 * shipping code is not asked about itself.
 */

type Columns = TableRow['properties'];
type WrittenRow = Exclude<RowOperation, { kind: 'delete' }>;

const LATER = /^(.+)~f\d\d$/;
/** The rows of clients may have any key, so only those of an outbox, or of the archive, are looked at. */
const CUT_KEY = /^(~[op]~|[0-9a-f]{12}-)/;

export interface FragmentHead {
  readonly stamp: string;
  readonly fragment: number;
  readonly of: number;
  readonly digest: string;
}

/** Returns the key of the first row of the set that a row is a later one of; undefined for any other. */
export function firstKeyOf(rowKey: string): string | undefined {
  return CUT_KEY.test(rowKey) ? LATER.exec(rowKey)?.[1] : undefined;
}

/** Returns what the body of a message, or the head in a row, says as a fragment; undefined for anything else. */
export function fragmentHeadIn(body: Uint8Array): FragmentHead | undefined {
  const text = Buffer.from(body).toString('latin1');
  if (!/^\{"wire":\d,("was":\d,)?"fragment":/.test(text)) return undefined;
  return JSON.parse(text) as FragmentHead;
}

/** Joins what is cut, as it is written: sets that only one row is written of again are known from before. */
export function createSetJoiner(): (transaction: Transaction) => Transaction {
  const known = new Map<string, Uint8Array>();
  return (transaction) => {
    const { operations, partitionKey, table } = transaction;
    if (!operations.some((one) => firstKeyOf(one.rowKey) !== undefined || isHead(one))) {
      return transaction;
    }
    const later = Map.groupBy(operations, ({ rowKey }) => firstKeyOf(rowKey) ?? '');
    const whole = operations.flatMap((one): RowOperation[] => {
      if (firstKeyOf(one.rowKey) !== undefined) return [];
      if (!isHead(one)) return [one];
      const key = `${table} ${partitionKey} ${one.rowKey}`;
      const own = (later.get(one.rowKey) ?? []).filter((row) => row.kind !== 'delete');
      const payload =
        own.length === 0 ? known.get(key) : join([one.properties, ...own.map(columnsOf)]);
      if (payload === undefined) return [one];
      known.set(key, payload);
      return [{ ...one, properties: withPayload(one.properties, payload) }];
    });
    return { ...transaction, operations: whole };
  };
}

/** Joins what is cut in all rows of a table; with them the keys of rows that are left of no set. */
export function joinCutRows(rows: readonly TableRow[]): {
  readonly rows: readonly TableRow[];
  readonly left: readonly string[];
} {
  const nameOf = ({ partitionKey, rowKey }: Pick<TableRow, 'partitionKey' | 'rowKey'>): string =>
    `${partitionKey}/${rowKey}`;
  const later = Map.groupBy(rows, ({ partitionKey, rowKey }) =>
    nameOf({ partitionKey, rowKey: firstKeyOf(rowKey) ?? '' }),
  );
  const whole = rows.filter(({ rowKey }) => firstKeyOf(rowKey) === undefined);
  const names = new Set(whole.filter(({ properties }) => isCut(properties)).map(nameOf));
  const left = rows.filter(
    ({ partitionKey, rowKey }) =>
      firstKeyOf(rowKey) !== undefined &&
      !names.has(nameOf({ partitionKey, rowKey: firstKeyOf(rowKey) ?? '' })),
  );
  return {
    rows: whole.map((row) => {
      if (!isCut(row.properties)) return row;
      const own = (later.get(nameOf(row)) ?? []).map(({ properties }) => properties);
      const payload = join([row.properties, ...own]);
      return payload === undefined
        ? row
        : { ...row, properties: withPayload(row.properties, payload) };
    }),
    left: left.map(nameOf),
  };
}

function isHead(operation: RowOperation): operation is WrittenRow {
  return (
    operation.kind !== 'delete' && CUT_KEY.test(operation.rowKey) && isCut(operation.properties)
  );
}

function columnsOf(operation: RowOperation): Columns {
  return operation.kind === 'delete' ? new Map() : operation.properties;
}

function isCut(columns: Columns): boolean {
  return columns.has('part0');
}

/** Undefined where some of it is missing. */
function join(rows: readonly Columns[]): Uint8Array | undefined {
  const parts = new Map<number, Buffer>();
  let count = 0;
  for (const columns of rows) {
    const head = fragmentHeadIn(bytesIn(columns, 'payload'));
    if (head === undefined) return undefined;
    count = head.of;
    parts.set(head.fragment, bytesIn(columns, 'part'));
  }
  if (parts.size !== count) return undefined;
  const all = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
  return inflateSync(Buffer.concat(all));
}

function bytesIn(columns: Columns, start: string): Buffer {
  const found: Uint8Array[] = [];
  for (let index = 0; ; index += 1) {
    const column = columns.get(`${start}${index}`);
    if (column?.type !== 'Binary') break;
    found.push(column.value);
  }
  return Buffer.concat(found);
}

function withPayload(columns: Columns, value: Uint8Array): Columns {
  const others = [...columns].filter(([name]) => !/^(?:payload|part)\d+$/.test(name));
  return new Map([...others, ['payload0', { type: 'Binary', value }]]);
}
