import { requestTable } from './table-request.ts';

type Row = Readonly<Record<string, unknown>>;

const PAGES_MAX = 10_000;
/** Long enough to be a column's payload and not a word. */
const BASE64 = /^[A-Za-z0-9+/]{16,}={0,2}$/;

/** Every byte of every table of an account, by table: texts as they are, binary columns as what they hold. */
export async function readRawTables(connection: string): Promise<ReadonlyMap<string, string>> {
  const tables = await readAll(connection, 'Tables');
  const raw = new Map<string, string>();
  for (const { TableName } of tables) {
    const table = String(TableName);
    raw.set(table, (await readAll(connection, `${table}()`)).map(textOf).join('\n'));
  }
  return raw;
}

function textOf(row: Row): string {
  const columns = Object.entries(row).flatMap(([name, value]) => {
    const text = String(value);
    return BASE64.test(text)
      ? [name, text, Buffer.from(text, 'base64').toString('latin1')]
      : [name, text];
  });
  return columns.join('\n');
}

async function readAll(connection: string, resource: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let query: Record<string, string> = {};
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const response = await requestTable(connection, { method: 'GET', resource, query });
    if (response.status !== 200) throw new Error(`${resource} was not read: ${response.status}`);
    const { value } = (await response.json()) as { value: Row[] };
    rows.push(...value);
    query = continuationOf(response.headers);
    if (Object.keys(query).length === 0) return rows;
  }
  throw new Error(`${resource} has more than ${PAGES_MAX} pages`);
}

function continuationOf(headers: Headers): Record<string, string> {
  const names = ['NextPartitionKey', 'NextRowKey', 'NextTableName'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(`x-ms-continuation-${name}`);
      return value === null ? [] : [[name, value]];
    }),
  );
}
