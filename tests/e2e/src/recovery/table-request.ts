import { createHmac } from 'node:crypto';

/** What a program asks of a storage account that knows nothing of the product: no SDK, no adapter of ours. */
export interface TableRequest {
  readonly method: 'GET' | 'DELETE';
  /** `Tables('Customers')`, `Customers()`. */
  readonly resource: string;
  readonly query?: Readonly<Record<string, string>>;
}

export async function requestTable(
  connection: string,
  { method, resource, query = {} }: TableRequest,
): Promise<Response> {
  const { AccountName = '', AccountKey = '', TableEndpoint = '' } = parse(connection);
  const url = new URL(`${TableEndpoint}/${resource}`);
  const date = new Date().toUTCString();
  const text = `${date}\n/${AccountName}${url.pathname}`;
  const signature = createHmac('sha256', Buffer.from(AccountKey, 'base64')).update(text);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return fetch(url, {
    method,
    headers: {
      'x-ms-date': date,
      'x-ms-version': '2019-02-02',
      accept: 'application/json;odata=nometadata',
      authorization: `SharedKeyLite ${AccountName}:${signature.digest('base64')}`,
    },
  });
}

function parse(connection: string): Record<string, string> {
  const parts = connection.split(';').map((part): [string, string] => {
    const at = part.indexOf('=');
    return [part.slice(0, at), part.slice(at + 1)];
  });
  return Object.fromEntries(parts);
}
