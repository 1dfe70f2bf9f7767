import { afterAll, beforeAll, beforeEach } from 'vitest';
import { assert } from '../../errors.ts';
import type {
  CommitOutcome,
  Properties,
  RowOperation,
  RowRange,
  TableRow,
  TableStore,
} from '../../ports/table-store.ts';
import type { FieldValue } from '../../values/field-value.ts';

export interface TableStoreHarness {
  readonly store: TableStore;
  readonly close?: () => Promise<void>;
}

export interface TableStoreUnderTest {
  readonly store: TableStore;
  /** A new empty table for each test. */
  readonly table: string;
  commit(partitionKey: string, ...operations: RowOperation[]): Promise<CommitOutcome>;
  /** Commits, and gives the ETags; throws when it is refused. */
  write(partitionKey: string, ...operations: RowOperation[]): Promise<(string | undefined)[]>;
  get(partitionKey: string, rowKey: string): Promise<TableRow | undefined>;
  /** Reads every row of the range, following continuations. */
  readAll(range: Omit<RowRange, 'table'>): Promise<TableRow[]>;
}

/** More pages than any test of the suite can need. */
const PAGES_MAX = 1_000;

/** Call inside `describe`: one store for the suite, one table for each test. */
export function useTableStore(
  createHarness: () => Promise<TableStoreHarness>,
  prefix: string,
): TableStoreUnderTest {
  let harness: TableStoreHarness | undefined;
  let count = 0;
  beforeAll(async () => {
    harness = await createHarness();
  });
  afterAll(async () => harness?.close?.());
  beforeEach(async () => {
    count += 1;
    await storeOf(harness).createTable(`${prefix}${count}`);
  });
  const self: TableStoreUnderTest = {
    get store() {
      return storeOf(harness);
    },
    get table() {
      return `${prefix}${count}`;
    },
    commit: (partitionKey, ...operations) =>
      self.store.commit({ table: self.table, partitionKey, operations }),
    async write(partitionKey, ...operations) {
      const outcome = await self.commit(partitionKey, ...operations);
      assert(outcome.kind === 'committed', `refused: ${JSON.stringify(outcome)}`);
      return [...outcome.etags];
    },
    get: (partitionKey, rowKey) => self.store.get(self.table, partitionKey, rowKey),
    readAll: (range) => readAll(self.store, { ...range, table: self.table }),
  };
  return self;
}

async function readAll(store: TableStore, range: RowRange): Promise<TableRow[]> {
  const rows: TableRow[] = [];
  let continuation: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await store.query({
      ...range,
      ...(continuation === undefined ? {} : { continuation }),
    });
    rows.push(...page.rows);
    ({ continuation } = page);
    if (continuation === undefined) return rows;
  }
  throw new Error(`The query did not end within ${PAGES_MAX} pages.`);
}

function storeOf(harness: TableStoreHarness | undefined): TableStore {
  assert(harness !== undefined, 'the harness is created before the first test');
  return harness.store;
}

export function text(value: string): FieldValue {
  return { type: 'String', value };
}

/** Makes a row that holds one String named `v`. */
function holding(value: string): Properties {
  return new Map([['v', text(value)]]);
}

export function heldBy(row: TableRow | undefined): unknown {
  return row?.properties.get('v')?.value;
}

export function insert(rowKey: string, value = 'inserted'): RowOperation {
  return { kind: 'insert', rowKey, properties: holding(value) };
}

export function replace(rowKey: string, etag: string, value = 'replaced') {
  return { kind: 'replace', rowKey, etag, properties: holding(value) } as const;
}

export function upsert(rowKey: string, value = 'upserted'): RowOperation {
  return { kind: 'upsert', rowKey, properties: holding(value) };
}

export function remove(rowKey: string, etag?: string): RowOperation {
  return { kind: 'delete', rowKey, ...(etag === undefined ? {} : { etag }) };
}
