import assert from 'node:assert/strict';
import {
  AzureNamedKeyCredential,
  AzureSASCredential,
  type Edm,
  generateAccountSas,
  generateTableSas,
  odata,
  TableClient,
  TableServiceClient,
  TableTransaction,
} from '@azure/data-tables';
import { type OpenClient, partOf } from '../client.ts';

const ROWS = 98;
const PAGE = 30;
const HOUR_MS = 3_600_000;

const tableOf = (round: number): string => `DataTables${round}`;

/** The client that Microsoft gives for JavaScript: every operation that it has. */
export const openDataTables: OpenClient = (connection) => {
  const service = TableServiceClient.fromConnectionString(connection);
  const clientOf = (table: string): TableClient =>
    TableClient.fromConnectionString(connection, table);
  return {
    async work(round) {
      const name = tableOf(round);
      await workOnTables(service, name);
      const table = clientOf(name);
      const etag = await workOnRows(table);
      await workOnTransactions(table);
      await workOnPages(table, clientOf(name));
      await workOnSignatures(connection, table);
      return { etag };
    },
    async find(round, facts) {
      const table = clientOf(tableOf(round));
      const { etag } = facts as { etag: string };
      const row = await table.getEntity('types', "it's a key, 100 %");
      assert.equal(row.etag, etag, 'a tag is the same in every region');
      assert.deepEqual({ text: row['text'], big: row['big'] }, { text: 'merged', big: 2n ** 53n });
      const kept: string[] = [];
      for await (const { rowKey } of table.listEntities<{ kept: boolean }>({
        queryOptions: { filter: odata`PartitionKey eq 'many' and kept eq ${true}` },
      })) {
        kept.push(rowKey ?? '');
      }
      assert.equal(kept.length, ROWS / 2);
      assert.deepEqual(kept, kept.toSorted());
      const policies = await table.getAccessPolicy();
      assert.equal(policies[0]?.id, 'readers');
      await assert.rejects(clientOf(`${tableOf(round)}Gone`).getEntity('p', 'r'), {
        statusCode: 404,
      });
    },
  };
};

async function workOnTables(service: TableServiceClient, name: string): Promise<void> {
  await service.createTable(name);
  // It takes the refusal of a second creation for success.
  await service.createTable(name);
  await service.createTable(`${name}Gone`);
  await service.deleteTable(`${name}Gone`);
  const found: (string | undefined)[] = [];
  const filter = odata`TableName ge ${name} and TableName le ${`${name}~`}`;
  for await (const table of service.listTables({ queryOptions: { filter } })) {
    found.push(table.name);
  }
  assert.deepEqual(found, [name]);
  const cors = [
    {
      allowedOrigins: 'https://app.example',
      allowedMethods: 'GET',
      allowedHeaders: '*',
      exposedHeaders: '*',
      maxAgeInSeconds: 60,
    },
  ];
  await service.setProperties({ cors });
  assert.deepEqual((await service.getProperties()).cors, cors);
}

/** Returns the tag of the row that is left. */
async function workOnRows(table: TableClient): Promise<string> {
  const key = { partitionKey: 'types', rowKey: "it's a key, 100 %" };
  const at = new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 789));
  const id: Edm<'Guid'> = { type: 'Guid', value: '3fa85f64-5717-4562-b3fc-2c963f66afa6' };
  const bytes = new Uint8Array([0, 1, 254, 255]);
  const values = { text: 'Zoë 🎈', whole: 7, part: 7.5, is: true, big: 2n ** 53n, at, id, bytes };
  await table.createEntity({ ...key, ...values });
  const { etag, timestamp: _, ...read } = await table.getEntity(key.partitionKey, key.rowKey);
  assert.deepEqual(
    { ...read, bytes: [...(read['bytes'] as Uint8Array)], 'odata.metadata': undefined },
    {
      ...key,
      ...values,
      bytes: [...bytes],
      'odata.metadata': undefined,
    },
  );
  await assert.rejects(table.createEntity(key), { statusCode: 409 });
  await table.updateEntity({ ...key, text: 'merged' }, 'Merge', { etag });
  await assert.rejects(table.updateEntity({ ...key, text: 'late' }, 'Replace', { etag }), {
    statusCode: 412,
  });
  await assert.rejects(table.deleteEntity(key.partitionKey, key.rowKey, { etag }), {
    statusCode: 412,
  });
  const other = { partitionKey: 'types', rowKey: 'other' };
  await assert.rejects(table.updateEntity({ ...other, n: 1 }, 'Merge'), { statusCode: 404 });
  await table.upsertEntity({ ...other, n: 1 }, 'Merge');
  await table.upsertEntity({ ...other, m: 2 }, 'Merge');
  await table.upsertEntity({ ...other, o: 3 }, 'Replace');
  const replaced = await table.getEntity('types', 'other');
  assert.deepEqual([replaced['n'], replaced['m'], replaced['o']], [undefined, undefined, 3]);
  await table.deleteEntity('types', 'other', { etag: replaced.etag });
  await assert.rejects(table.deleteEntity('types', 'other'), { statusCode: 404 });
  const chosen = await table.getEntity(key.partitionKey, key.rowKey, {
    queryOptions: { select: ['text', 'absent'] },
  });
  assert.deepEqual(
    [chosen['text'], chosen['absent'], chosen['whole']],
    ['merged', null, undefined],
  );
  return (await table.getEntity(key.partitionKey, key.rowKey)).etag;
}

async function workOnTransactions(table: TableClient): Promise<void> {
  const partitionKey = 'many';
  const keyOf = (row: number): string => String(row).padStart(3, '0');
  const creation = new TableTransaction();
  for (let row = 0; row < ROWS; row += 1) {
    creation.createEntity({ partitionKey, rowKey: keyOf(row), row, kept: row % 2 === 0 });
  }
  const { subResponses } = await table.submitTransaction(creation.actions);
  assert.deepEqual(new Set(subResponses.map(({ status }) => status)), new Set([204]));
  await assert.rejects(
    table.submitTransaction([
      ['upsert', { partitionKey, rowKey: 'new' }],
      ['create', { partitionKey, rowKey: keyOf(1) }],
    ]),
    { statusCode: 409, code: 'EntityAlreadyExists' },
  );
  await assert.rejects(table.getEntity(partitionKey, 'new'), { statusCode: 404 });
  const change = new TableTransaction();
  change.deleteEntity(partitionKey, keyOf(1));
  change.updateEntity({ partitionKey, rowKey: keyOf(2), row: -2 }, 'Merge');
  change.upsertEntity({ partitionKey, rowKey: keyOf(3), row: -3, kept: false }, 'Replace');
  change.createEntity({ partitionKey, rowKey: 'last', row: ROWS, kept: false });
  await table.submitTransaction(change.actions);
}

async function workOnPages(table: TableClient, again: TableClient): Promise<void> {
  const select = { queryOptions: { select: ['PartitionKey', 'RowKey', 'row'] } };
  const seen: string[] = [];
  const pages = table.listEntities<{ row: number }>(select).byPage({ maxPageSize: PAGE });
  const first = (await pages.next()).value ?? [];
  seen.push(...[...first].map(({ rowKey }) => rowKey ?? ''));
  assert.equal(seen.length, PAGE);
  // Whoever was given the token may go on, as after a restart.
  const { continuationToken } = first as { continuationToken?: string };
  assert.ok(continuationToken);
  const rest = again.listEntities(select).byPage({ maxPageSize: PAGE, continuationToken });
  for await (const page of rest) seen.push(...page.map(({ rowKey }) => rowKey ?? ''));
  assert.equal(seen.length, new Set(seen).size);
  assert.equal(seen.length, ROWS + 1);
  const filters: readonly [string, number][] = [
    [odata`PartitionKey eq 'many' and row ge ${10} and row lt ${20}`, 10],
    [odata`(row eq ${4} or row eq ${6}) and not (kept eq ${false})`, 2],
    [odata`big eq ${2n ** 53n}`, 1],
    [odata`at lt ${new Date(Date.UTC(2027, 0, 1))} and part gt ${7.25}`, 1],
    [`id eq guid'3fa85f64-5717-4562-b3fc-2c963f66afa6' and bytes eq X'0001feff'`, 1],
    [odata`RowKey eq ${"it's a key, 100 %"}`, 1],
  ];
  for (const [filter, count] of filters) {
    let found = 0;
    for await (const _ of table.listEntities({ queryOptions: { filter } })) found += 1;
    assert.equal(found, count, filter);
  }
}

async function workOnSignatures(connection: string, table: TableClient): Promise<void> {
  const { tableName } = table;
  const url = partOf(connection, 'TableEndpoint');
  const credential = new AzureNamedKeyCredential(
    partOf(connection, 'AccountName'),
    partOf(connection, 'AccountKey'),
  );
  const signed = (sas: string): TableClient =>
    new TableClient(url, tableName, new AzureSASCredential(sas));
  const expiresOn = new Date(Date.now() + HOUR_MS);
  const permissions = { query: true };
  const reader = signed(
    generateTableSas(tableName, credential, {
      permissions,
      expiresOn,
      startPartitionKey: 'many',
      endPartitionKey: 'many',
    }),
  );
  assert.equal((await reader.getEntity('many', '000'))['row'], 0);
  // A query gives only what lies within; a write elsewhere is refused.
  await assert.rejects(reader.getEntity('types', "it's a key, 100 %"), { statusCode: 404 });
  await assert.rejects(reader.upsertEntity({ partitionKey: 'many', rowKey: 'x' }), {
    statusCode: 403,
  });
  const owner = signed(
    generateAccountSas(credential, {
      permissions: { query: true, add: true, update: true, write: true, delete: true },
      expiresOn,
    }),
  );
  await owner.upsertEntity({ partitionKey: 'signed', rowKey: 'r' });
  await owner.deleteEntity('signed', 'r');
  await table.setAccessPolicy([
    { id: 'readers', accessPolicy: { permission: 'r', expiry: expiresOn } },
  ]);
  const named = generateTableSas(tableName, credential, { identifier: 'readers' });
  assert.equal((await signed(named).getEntity('many', '000'))['row'], 0);
}
