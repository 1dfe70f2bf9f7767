/** What an application does with the unmodified client of Table Storage, whoever answers at the address. */
import { odata, TableClient, type TransactionAction } from '@azure/data-tables';
import { customerFor, customerId } from './customers.ts';

export interface TableClientLoad {
  upsert(customer: number, revision: number): Promise<unknown>;
  /** So many rows of one partition in one transaction. */
  upsertRows(nth: number, rows: number): Promise<unknown>;
  get(customer: number): Promise<unknown>;
  /** One page of 1,000 rows of a partition, of three in the table. */
  page(): Promise<unknown>;
  /** Resolves when the last of what was written is read at another address, each row with the same ETag. */
  untilReadable(peer: TableClientLoad): Promise<void>;
  /** Returns the ETag of a row; undefined where it is not there. */
  etagOf(row: RowKey): Promise<string | undefined>;
}

interface RowKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

const TABLE = 'Customers';
const PAGED = 'Paged';
const PARTITIONS = 64;
const ROWS_PER_PAGE = 1_000;
const ROWS_PER_TRANSACTION = 100;
const POLL_MS = 5;
const READABLE_MS_MAX = 60_000;

/** Makes what the table is read for where it is missing. */
export async function createTableClientLoad(connection: string): Promise<TableClientLoad> {
  const open = (table: string): TableClient =>
    TableClient.fromConnectionString(connection, table, { allowInsecureConnection: true });
  const [rows, paged] = [open(TABLE), open(PAGED)];
  for (const client of [rows, paged]) await client.createTable();
  /** Of each partition the row that was acknowledged last: the rows of one reach the other region in their order. */
  const last = new Map<string, WrittenRow>();
  const keyOf = (customer: number): RowKey => ({
    partitionKey: `p${customer % PARTITIONS}`,
    rowKey: customerId(customer),
  });
  let isPaged = false;
  const fill = async (): Promise<void> => {
    isPaged = true;
    for (const partitionKey of ['a', 'b', 'c']) {
      for (let first = 0; first < ROWS_PER_PAGE; first += ROWS_PER_TRANSACTION) {
        await paged.submitTransaction(actionsOf(partitionKey, first, ROWS_PER_TRANSACTION));
      }
    }
  };
  return {
    async upsert(customer, revision) {
      const key = keyOf(customer);
      const entity = { ...key, ...customerFor(customer, revision) };
      const { etag = '' } = await rows.upsertEntity(entity, 'Replace');
      last.set(key.partitionKey, { ...key, etag });
    },
    async upsertRows(nth, count) {
      const partitionKey = `batch${nth % PARTITIONS}`;
      const { subResponses } = await rows.submitTransaction(actionsOf(partitionKey, nth, count));
      const rowKey = customerId(nth + count - 1);
      last.set(partitionKey, { partitionKey, rowKey, etag: subResponses.at(-1)?.etag ?? '' });
    },
    get(customer) {
      const { partitionKey, rowKey } = keyOf(customer);
      return rows.getEntity(partitionKey, rowKey);
    },
    async page() {
      if (!isPaged) await fill();
      const filter = odata`PartitionKey eq ${'b'}`;
      const pages = paged.listEntities({ queryOptions: { filter } });
      const { value = [] } = await pages.byPage({ maxPageSize: ROWS_PER_PAGE }).next();
      if (value.length !== ROWS_PER_PAGE) throw new Error(`A page had ${value.length} rows.`);
    },
    async untilReadable(peer) {
      await untilReadable([...last.values()], peer);
      last.clear();
    },
    etagOf: (key) => etagOf(rows, key),
  };
}

function actionsOf(partitionKey: string, first: number, count: number): TransactionAction[] {
  return Array.from({ length: count }, (_, index) => {
    const customer = first + index;
    const row = { partitionKey, rowKey: customerId(customer), ...customerFor(customer, first) };
    return ['upsert', row, 'Replace'];
  });
}

type WrittenRow = RowKey & { readonly etag: string };

async function untilReadable(
  written: readonly WrittenRow[],
  peer: Pick<TableClientLoad, 'etagOf'>,
): Promise<void> {
  const deadlineMs = performance.now() + READABLE_MS_MAX;
  for (const { etag, ...key } of written) {
    while ((await peer.etagOf(key)) !== etag) {
      if (performance.now() > deadlineMs) throw new Error('A row never reached the peer.');
      await new Promise<void>((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
  }
}

async function etagOf(
  rows: TableClient,
  { partitionKey, rowKey }: RowKey,
): Promise<string | undefined> {
  try {
    return (await rows.getEntity(partitionKey, rowKey)).etag;
  } catch (error) {
    if ((error as { readonly statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}
