import { requestTable } from './table-request.ts';

/** Deletes a table with all that is in it, as someone in the portal would. */
export async function dropTable(connection: string, table: string): Promise<void> {
  const resource = `Tables('${table}')`;
  const response = await requestTable(connection, { method: 'DELETE', resource });
  if (response.status !== 204) {
    throw new Error(`the table ${table} was not dropped: ${response.status}`);
  }
}
