// What each shared access signature lets its holder do, over the wire, as the pages of the service declare it:
// every operation, with the least that is enough, with all but that, at another table or row, and outside of its time.
import { createHmac } from 'node:crypto';
import {
  AzureNamedKeyCredential,
  generateTableSas,
  type TableSasSignatureValues,
} from '@azure/data-tables';
import { createLogger } from '@tandem/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { styleOfHosts } from './create-service.ts';
import { createEndpoint } from './endpoint.ts';
import type { ServedTables } from './served-tables.ts';
import { openLocalTables } from './testing/local-tables.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const CREDENTIAL = new AzureNamedKeyCredential('shop', KEY);
const HOUR_MS = 3_600_000;

let tables: ServedTables;
let origin = '';
let app: ReturnType<typeof createApp>;

beforeAll(async () => {
  tables = await openLocalTables();
  for (const name of ['Orders', 'Others']) await tables.create(name);
  let ids = 0;
  const accounts = [{ account: 'shop', keys: [KEY] }];
  const endpoint = createEndpoint({
    tables,
    accounts,
    styleOf: styleOfHosts(accounts),
    nowMs: Date.now,
    newRequestId: () => `id-${(ids += 1)}`,
    onFailure: (error) => {
      throw error;
    },
  });
  const logger = createLogger({ service: 'table-endpoint', region: 'east', level: 'silent' });
  app = createApp({ endpoint, logger });
  origin = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(() => app.close());

type Sent = readonly [
  method: string,
  path: string,
  query?: string,
  body?: string | undefined,
  ifMatch?: string,
];

interface Operation {
  readonly name: string;
  /** What an account's signature needs: a kind of resource, and permissions that are each enough. */
  readonly account?: readonly [resourceType: string, permissions: readonly string[]];
  /** All of these are needed of a table's signature. */
  readonly table?: string;
  readonly sent: Sent;
  readonly allowed: number;
}

const ROW = "Orders(PartitionKey='m',RowKey='5')";
const PROPERTIES = 'restype=service&comp=properties';
const CORS = '<StorageServiceProperties><Cors/></StorageServiceProperties>';

/** Declared at https://learn.microsoft.com/rest/api/storageservices/create-account-sas and create-service-sas. */
const OPERATIONS: readonly Operation[] = [
  {
    name: 'Get Table Service Properties',
    account: ['s', ['r']],
    sent: ['GET', '', PROPERTIES],
    allowed: 200,
  },
  {
    name: 'Set Table Service Properties',
    account: ['s', ['w']],
    sent: ['PUT', '', PROPERTIES, CORS],
    allowed: 202,
  },
  { name: 'Query Tables', account: ['c', ['l']], sent: ['GET', 'Tables'], allowed: 200 },
  {
    name: 'Create Table',
    account: ['c', ['c', 'w']],
    sent: ['POST', 'Tables', '', '{"TableName":"Orders"}'],
    allowed: 409,
  },
  { name: 'Delete Table', account: ['c', ['d']], sent: ['DELETE', "Tables('None')"], allowed: 404 },
  { name: 'Get Table ACL', sent: ['GET', 'Orders', 'comp=acl'], allowed: 200 },
  { name: 'Set Table ACL', sent: ['PUT', 'Orders', 'comp=acl'], allowed: 204 },
  {
    name: 'Query Entities',
    account: ['o', ['r']],
    table: 'r',
    sent: ['GET', 'Orders()'],
    allowed: 200,
  },
  { name: 'Query Entity', account: ['o', ['r']], table: 'r', sent: ['GET', ROW], allowed: 200 },
  {
    name: 'Insert Entity',
    account: ['o', ['a']],
    table: 'a',
    sent: ['POST', 'Orders', '', '{"PartitionKey":"m","RowKey":"5"}'],
    allowed: 409,
  },
  {
    name: 'Update Entity',
    account: ['o', ['u']],
    table: 'u',
    sent: ['PUT', ROW, '', '{}', '*'],
    allowed: 204,
  },
  {
    name: 'Merge Entity',
    account: ['o', ['u']],
    table: 'u',
    sent: ['PATCH', ROW, '', '{}', '*'],
    allowed: 204,
  },
  {
    name: 'Insert Or Replace Entity',
    account: ['o', ['au']],
    table: 'au',
    sent: ['PUT', ROW, '', '{}'],
    allowed: 204,
  },
  {
    name: 'Insert Or Merge Entity',
    account: ['o', ['au']],
    table: 'au',
    sent: ['MERGE', ROW, '', '{}'],
    allowed: 204,
  },
  {
    name: 'Delete Entity',
    account: ['o', ['d']],
    table: 'd',
    sent: ['DELETE', ROW, '', undefined, 'W/"none"'],
    allowed: 412,
  },
];

async function send([method, path, query = '', body, ifMatch]: Sent, sas: string): Promise<string> {
  const target = `${origin}/shop/${path}?${[query, sas].filter((part) => part !== '').join('&')}`;
  const headers = {
    'content-type': 'application/json',
    ...(ifMatch !== undefined && { 'if-match': ifMatch }),
  };
  const response = await fetch(target, { method, headers, ...(body !== undefined && { body }) });
  const text = await response.text();
  const code = /"code":"(\w+)"|<Code>(\w+)</i.exec(text);
  return response.status === 403 ? `403 ${code?.[1] ?? code?.[2] ?? ''}` : String(response.status);
}

const inAnHour = (): Date => new Date(Date.now() + HOUR_MS);

interface AccountSas {
  readonly startsOn?: Date;
  readonly expiresOn?: Date;
  readonly services?: string;
}

/** Signs as the page of the service has it: the SDK knows no permission to create. */
function accountSas(
  permissions: string,
  resourceTypes: string,
  { startsOn, expiresOn = inAnHour(), services = 't' }: AccountSas = {},
): string {
  const said = [permissions, services, resourceTypes, startsOn?.toISOString() ?? ''];
  const facts = [...said, expiresOn.toISOString(), '', '', '2019-02-02'];
  const text = ['shop', ...facts, ''].join('\n');
  const sig = createHmac('sha256', Buffer.from(KEY, 'base64'))
    .update(text, 'utf8')
    .digest('base64');
  const names = ['sp', 'ss', 'srt', 'st', 'se', 'sip', 'spr', 'sv'];
  const pairs = names.map((name, index) => [name, facts[index] ?? ''] as const);
  const given = [...pairs.filter(([, value]) => value !== ''), ['sig', sig] as const];
  return given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

const lettersOf = (text = ''): string[] => text.split('');

const FLAGS = { r: 'query', a: 'add', u: 'update', d: 'delete' };

const tableSas = (
  permissions: string,
  more: TableSasSignatureValues = {},
  table = 'Orders',
): string => {
  const flags = lettersOf(permissions).map((letter) => [FLAGS[letter as keyof typeof FLAGS], true]);
  const own = { expiresOn: inAnHour(), permissions: Object.fromEntries(flags) as object };
  return generateTableSas(table, CREDENTIAL, {
    ...(more.identifier === undefined && own),
    ...more,
  });
};

/** Returns all permissions that there are, without some. */
const without = (letters: string, all: string): string =>
  lettersOf(all)
    .filter((letter) => !letters.includes(letter))
    .join('');

beforeAll(async () => {
  for (const partitionKey of ['a', 'm', 'z']) {
    const keys = { partitionKey, rowKey: '5' };
    const condition = { kind: 'none' } as const;
    const write = { kind: 'replace', keys, properties: new Map(), condition } as const;
    await (await tables.find('Orders'))?.write([write], undefined);
  }
});

/** A signature, and what its holder is answered. */
type Case = readonly [sas: string, answer: string];

const OF_ACCOUNT = 'rwdlacu';
const OF_TABLE = 'raud';
const expired = (): Date => new Date(Date.now() - 1_000);

function casesOfAccount({ account, allowed }: Operation): readonly Case[] {
  if (account === undefined) return [[accountSas(OF_ACCOUNT, 'sco'), '403 AuthorizationFailure']];
  const [type, permissions] = account;
  const lacking = permissions.length > 1 ? [permissions.join('')] : lettersOf(permissions[0]);
  const early = { startsOn: inAnHour(), expiresOn: new Date(Date.now() + 2 * HOUR_MS) };
  return [
    ...permissions.map((enough): Case => [accountSas(enough, type), String(allowed)]),
    ...lacking.map(
      (letters): Case => [
        accountSas(without(letters, OF_ACCOUNT), 'sco'),
        '403 AuthorizationPermissionMismatch',
      ],
    ),
    [accountSas(OF_ACCOUNT, without(type, 'sco')), '403 AuthorizationResourceTypeMismatch'],
    [accountSas(OF_ACCOUNT, 'sco', { services: 'b' }), '403 AuthorizationServiceMismatch'],
    [accountSas(OF_ACCOUNT, 'sco', { expiresOn: expired() }), '403 AuthenticationFailed'],
    [accountSas(OF_ACCOUNT, 'sco', early), '403 AuthenticationFailed'],
    [accountSas('r', 'sco').replace('sp=r', 'sp=rwdlacu'), '403 AuthenticationFailed'],
  ];
}

function casesOfTable({ table, sent, allowed }: Operation): readonly Case[] {
  if (table === undefined) return [[tableSas(OF_TABLE), '403 AuthorizationFailure']];
  const cases: Case[] = [
    [tableSas(table), String(allowed)],
    ...lettersOf(table).map(
      (letter): Case => [
        tableSas(without(letter, OF_TABLE)),
        '403 AuthorizationPermissionMismatch',
      ],
    ),
    [tableSas(OF_TABLE, {}, 'Others'), '403 AuthorizationFailure'],
    [tableSas(OF_TABLE, { expiresOn: expired() }), '403 AuthenticationFailed'],
  ];
  if (sent[1] === 'Orders()') return cases;
  const around = { startPartitionKey: 'm', endPartitionKey: 'm' };
  const behind = { startPartitionKey: 'm', startRowKey: '6', endPartitionKey: 'z' };
  return [
    ...cases,
    [tableSas(OF_TABLE, around), String(allowed)],
    [tableSas(OF_TABLE, behind), sent[0] === 'GET' ? '404' : '403 AuthorizationFailure'],
  ];
}

describe.each(OPERATIONS)('$name', (operation) => {
  it.each([
    ['the account', casesOfAccount],
    ['a table', casesOfTable],
  ])('by a signature of %s is what it says and no more', async (_, casesOf) => {
    for (const [sas, answer] of casesOf(operation)) {
      expect(await send(operation.sent, sas), sas).toBe(answer);
    }
  });
});

describe('a signature over a range of keys', () => {
  it('reads the rows within it alone, whatever is asked', async () => {
    const sas = tableSas('r', { startPartitionKey: 'b', endPartitionKey: 'n' });
    for (const query of ['', `$filter=${encodeURIComponent("PartitionKey ne 'q' or true")}&`]) {
      const response = await fetch(`${origin}/shop/Orders()?${query}${sas}`);
      const { value } = (await response.json()) as { value: { PartitionKey: string }[] };
      expect(value.map(({ PartitionKey }) => PartitionKey)).toEqual(['m']);
    }
  });

  it('lets no operation of a transaction out, and writes none of it', async () => {
    const batch = (rowKey: string): string =>
      ['1', rowKey]
        .map((key) =>
          [
            '--c',
            'Content-Type: application/http',
            '',
            `PUT /Orders(PartitionKey='t',RowKey='${key}') HTTP/1.1`,
            '',
            '{}',
            '',
          ].join('\r\n'),
        )
        .join('');
    const sas = tableSas('au', {
      startPartitionKey: 't',
      startRowKey: '1',
      endPartitionKey: 't',
      endRowKey: '4',
    });
    const transact = async (rowKey: string): Promise<string> => {
      const response = await fetch(`${origin}/shop/$batch?${sas}`, {
        method: 'POST',
        headers: { 'content-type': 'multipart/mixed; boundary=b' },
        body: `--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n${batch(rowKey)}--c--\r\n--b--`,
      });
      return response.text();
    };
    expect(await transact('9')).toContain('1:This request is not authorized');
    const orders = await tables.find('Orders');
    expect(await orders?.get({ partitionKey: 't', rowKey: '1' })).toBeUndefined();
    expect(await transact('4')).toContain('204 No Content');
    expect(await orders?.get({ partitionKey: 't', rowKey: '4' })).toBeDefined();
  });
});

describe('a stored policy', () => {
  it('is in force as it stands now, and ends what refers to it when it goes', async () => {
    const sas = tableSas('', { identifier: 'mine' });
    const reads = (): Promise<string> => send(['GET', 'Orders()'], sas);
    const inserts = (): Promise<string> =>
      send(['POST', 'Orders', '', '{"PartitionKey":"m","RowKey":"5"}'], sas);
    const expiry = inAnHour().toISOString();
    expect(await reads()).toBe('403 AuthenticationFailed');
    await tables.setPolicies('Orders', [{ id: 'mine', expiry, permissions: 'r' }]);
    expect([await reads(), await inserts()]).toEqual([
      '200',
      '403 AuthorizationPermissionMismatch',
    ]);
    await tables.setPolicies('Orders', [{ id: 'mine', expiry, permissions: 'a' }]);
    expect([await reads(), await inserts()]).toEqual([
      '403 AuthorizationPermissionMismatch',
      '409',
    ]);
    await tables.setPolicies('Others', [{ id: 'yours', expiry, permissions: 'raud' }]);
    expect(await send(['GET', 'Orders()'], tableSas('', { identifier: 'yours' }))).toBe(
      '403 AuthenticationFailed',
    );
    await tables.setPolicies('Orders', []);
    expect(await reads()).toBe('403 AuthenticationFailed');
  });
});
