// Says how many whole orders of examples/table-app there are at a connection string.
import { TableClient } from '@azure/data-tables';

const connection = process.env['AZURE_STORAGE_CONNECTION_STRING'] ?? '';
const [rows, paid] = [[] as unknown[], [] as unknown[]];
const table = TableClient.fromConnectionString(connection, 'Orders');
for await (const row of table.listEntities<{ cents?: number; paid?: boolean }>()) {
  if (row.cents === undefined) continue;
  rows.push(row);
  if (row.paid === true) paid.push(row);
}
process.stdout.write(`${rows.length} orders, ${paid.length} paid\n`);
