import { createHmac } from 'node:crypto';

/** Deletes a table with all that is in it, as someone in the portal would. */
export async function dropTable(connection: string, table: string): Promise<void> {
  const { AccountName = '', AccountKey = '', TableEndpoint = '' } = parse(connection);
  const url = new URL(`${TableEndpoint}/Tables('${table}')`);
  const date = new Date().toUTCString();
  const text = `${date}\n/${AccountName}${url.pathname}`;
  const signature = createHmac('sha256', Buffer.from(AccountKey, 'base64')).update(text);
  const response = await fetch(url, {
    method: 'DELETE',
    headers: {
      'x-ms-date': date,
      'x-ms-version': '2019-02-02',
      accept: 'application/json',
      authorization: `SharedKeyLite ${AccountName}:${signature.digest('base64')}`,
    },
  });
  if (response.status !== 204) {
    throw new Error(`the table ${table} was not dropped: ${response.status}`);
  }
}

function parse(connection: string): Record<string, string> {
  const parts = connection.split(';').map((part): [string, string] => {
    const at = part.indexOf('=');
    return [part.slice(0, at), part.slice(at + 1)];
  });
  return Object.fromEntries(parts);
}
