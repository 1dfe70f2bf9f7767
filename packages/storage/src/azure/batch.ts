/**
 * Entity group transactions on the wire: a multipart body that holds the requests, and an answer that
 * holds theirs. `submitTransaction` of `@azure/data-tables` 13.3 is not used because it drops the
 * ETag of a delete: a conditional delete would remove whatever version is there.
 * https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
 */
import type { TableRequest } from './table-request.ts';

const LINE = '\r\n';

export interface Batch {
  readonly contentType: string;
  readonly body: string;
}

export interface BatchPart {
  readonly status: number;
  readonly etag: string | undefined;
  /** The answer to one request, headers and body. */
  readonly text: string;
}

/** `id` must be new for each batch; `accountUrl` ends in a slash. */
export function encodeBatch(
  id: string,
  accountUrl: string,
  requests: readonly TableRequest[],
): Batch {
  const batch = `batch_${id}`;
  const changeset = `changeset_${id}`;
  const parts = requests.map((request) => encodePart(changeset, accountUrl, request));
  const lines = [
    `--${batch}`,
    `Content-Type: multipart/mixed; boundary=${changeset}`,
    '',
    ...parts,
    `--${changeset}--`,
    `--${batch}--`,
    '',
  ];
  return { contentType: `multipart/mixed; boundary=${batch}`, body: lines.join(LINE) };
}

function encodePart(changeset: string, accountUrl: string, request: TableRequest): string {
  const headers = { ...request.headers, DataServiceVersion: '3.0' };
  return [
    `--${changeset}`,
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `${request.method} ${accountUrl}${request.path} HTTP/1.1`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    request.body ?? '',
  ].join(LINE);
}

/** One part for each request, or a single one that says why the whole was refused. */
export function decodeBatch(text: string): BatchPart[] {
  const parts = text.split(/^--changesetresponse_[^\r\n]*/m).slice(1, -1);
  return parts.map((text) => ({
    status: Number(/^HTTP\/1\.1 (\d{3})/m.exec(text)?.[1] ?? 0),
    etag: copyOf(/^ETag: (.*?)\r?$/im.exec(text)?.[1]),
    text,
  }));
}

/** What is cut from a text keeps all of it in memory, and ETags are remembered for long. */
function copyOf(etag: string | undefined): string | undefined {
  return etag && Buffer.from(etag, 'latin1').toString('latin1');
}
