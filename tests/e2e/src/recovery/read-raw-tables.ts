import { inflateSync } from 'node:zlib';
import { requestTable } from './table-request.ts';

type Row = Readonly<Record<string, unknown>>;

const PAGES_MAX = 10_000;
/** Long enough to be a column's payload and not a word. */
const BASE64 = /^[A-Za-z0-9+/]{16,}={0,2}$/;
const DEFLATED = /^\{"wire":3,.*"deflated":"([^"]*)"/;

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
    if (!BASE64.test(text)) return [name, text];
    const binary = Buffer.from(text, 'base64').toString('latin1');
    return [name, text, binary, ...inflatedFrom(binary)];
  });
  return columns.join('\n');
}

/** What a deflated change set hides. */
function inflatedFrom(binary: string): string[] {
  const base64 = DEFLATED.exec(binary)?.[1];
  return base64 === undefined
    ? []
    : [inflateSync(Buffer.from(base64, 'base64')).toString('latin1')];
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
