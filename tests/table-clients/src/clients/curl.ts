import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { promisify } from 'node:util';
import { type OpenClient, partOf } from '../client.ts';

const HOUR_MS = 3_600_000;
const VERSION = '2019-02-02';
const ATTEMPTS_MAX = 10;
const RETRY_MS = 1_000;

/** A command with an address that somebody signed: what is left when there is no client at all. */
export const openCurl: OpenClient = (connection) => {
  const endpoint = partOf(connection, 'TableEndpoint');
  const sign = (table: string, permissions: string, endMs = Date.now() + HOUR_MS): string =>
    signatureOf(connection, {
      table,
      permissions,
      end: `${new Date(endMs).toISOString().slice(0, 19)}Z`,
    });
  return {
    async work(round) {
      const table = tableOf(round);
      const all = accountSignatureOf(connection);
      const created = await curl(`${endpoint}/Tables?${all}`, {
        method: 'POST',
        body: { TableName: table },
      });
      assert.equal(created.status, 201, created.body);
      const sas = sign(table, 'raud');
      const rows = `${endpoint}/${table}`;
      const row = `${rows}(PartitionKey='p',RowKey='one%20%25%20%27%27')?${sas}`;
      for (const rowKey of ["one % '", 'two', 'gone']) {
        const body = {
          PartitionKey: 'p',
          RowKey: rowKey,
          n: 1,
          'big@odata.type': 'Edm.Int64',
          big: '5',
        };
        assert.equal((await curl(`${rows}?${sas}`, { method: 'POST', body })).status, 201);
      }
      assert.equal((await curl(row, { method: 'MERGE', body: { m: 'ë' } })).status, 204);
      const gone = `${rows}(PartitionKey='p',RowKey='gone')?${sas}`;
      const refused = await curl(gone, { method: 'DELETE' });
      assert.deepEqual([refused.status, codeOf(refused.body)], [400, 'MissingRequiredHeader']);
      const deleted = await curl(gone, { method: 'DELETE', headers: ['If-Match: *'] });
      assert.equal(deleted.status, 204);
      const reader = sign(table, 'r');
      const denied = await curl(row.replace(sas, reader), { method: 'PUT', body: {} });
      assert.deepEqual(
        [denied.status, codeOf(denied.body)],
        [403, 'AuthorizationPermissionMismatch'],
      );
      const late = await curl(row.replace(sas, sign(table, 'r', Date.now() - HOUR_MS)));
      assert.deepEqual([late.status, codeOf(late.body)], [403, 'AuthenticationFailed']);
      const elsewhere = await curl(row.replace(sas, sign(`${table}x`, 'r')));
      assert.equal(elsewhere.status, 403);
    },
    async find(round) {
      const table = tableOf(round);
      const filter = encodeURIComponent("PartitionKey eq 'p' and big eq 5L");
      const query = `${endpoint}/${table}()?$filter=${filter}&$select=RowKey,m&${sign(table, 'r')}`;
      const { status, body } = await curl(query);
      assert.equal(status, 200, body);
      assert.deepEqual(JSON.parse(body), {
        value: [
          { RowKey: "one % '", m: 'ë' },
          { RowKey: 'two', m: null },
        ],
      });
    },
  };
};

const tableOf = (round: number): string => `Curl${round}`;

interface Asked {
  readonly method?: string;
  readonly body?: object;
  readonly headers?: readonly string[];
}

/** As a script does that is told to come again. */
async function curl(url: string, asked: Asked = {}): Promise<Answered> {
  for (let attempt = 1; ; attempt += 1) {
    const answered = await curlOnce(url, asked);
    if (answered.status !== 503 || attempt === ATTEMPTS_MAX) return answered;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

interface Answered {
  readonly status: number;
  readonly body: string;
}

async function curlOnce(
  url: string,
  { method = 'GET', body, headers = [] }: Asked,
): Promise<Answered> {
  const all = [`x-ms-version: ${VERSION}`, 'Accept: application/json;odata=nometadata', ...headers];
  const args = ['--silent', '--show-error', '--max-time', '60', '--globoff', '--request', method];
  const trusted = process.env['NODE_EXTRA_CA_CERTS'];
  if (trusted !== undefined) args.push('--cacert', trusted);
  if (body !== undefined) {
    all.push('Content-Type: application/json');
    args.push('--data-raw', JSON.stringify(body));
  }
  args.push(...all.flatMap((header) => ['--header', header]));
  args.push('--write-out', '\n%{http_code}', url);
  const { stdout } = await promisify(execFile)('curl', args);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

function codeOf(body: string): string | undefined {
  if (!body.startsWith('{')) return /<(?:m:)?code>(\w+)/i.exec(body)?.[1];
  return (JSON.parse(body) as { 'odata.error'?: { code: string } })['odata.error']?.code;
}

interface Granted {
  readonly table: string;
  readonly permissions: string;
  readonly end: string;
}

/** Signs as Microsoft's page on the shared access signature of a service has it. */
function signatureOf(connection: string, { table, permissions, end }: Granted): string {
  const account = partOf(connection, 'AccountName');
  const resource = `/table/${account}/${table.toLowerCase()}`;
  const text = [permissions, '', end, resource, '', '', '', VERSION, '', '', '', ''].join('\n');
  const query = { sv: VERSION, tn: table, sp: permissions, se: end, sig: signed(connection, text) };
  return new URLSearchParams(query).toString();
}

/** The same for an account, to which creating a table takes. */
function accountSignatureOf(connection: string): string {
  const end = `${new Date(Date.now() + HOUR_MS).toISOString().slice(0, 19)}Z`;
  const account = partOf(connection, 'AccountName');
  const text = `${[account, 'rwdlacu', 't', 'sco', '', end, '', '', VERSION].join('\n')}\n`;
  const granted = { sv: VERSION, ss: 't', srt: 'sco', sp: 'rwdlacu', se: end };
  return new URLSearchParams({ ...granted, sig: signed(connection, text) }).toString();
}

function signed(connection: string, text: string): string {
  const key = Buffer.from(partOf(connection, 'AccountKey'), 'base64');
  return createHmac('sha256', key).update(text, 'utf8').digest('base64');
}
