import {
  AzureNamedKeyCredential,
  odata,
  TableClient,
  TableServiceClient,
  TableTransaction,
} from '@azure/data-tables';
import { createLogger } from '@tandem/service-kit';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { createEndpoint } from './endpoint.ts';
import { openLocalTables } from './testing/local-tables.ts';

const ACCOUNT = 'devstoreaccount1';
const KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

describe('an unmodified client of Table Storage', () => {
  let app: FastifyInstance;
  let url: string;
  const failures: unknown[] = [];

  beforeAll(async () => {
    let ids = 0;
    const endpoint = createEndpoint({
      tables: await openLocalTables(),
      accounts: [{ account: ACCOUNT, keys: [KEY] }],
      styleOf: () => ({}),
      nowMs: Date.now,
      newRequestId: () => `id-${(ids += 1)}`,
      onFailure: (error) => failures.push(error),
    });
    const logger = createLogger({ service: 'table-endpoint', region: 'east', level: 'fatal' });
    app = createApp({ endpoint, logger });
    url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/${ACCOUNT}`;
  });

  afterAll(async () => {
    await app.close();
    expect(failures).toEqual([]);
  });

  const credential = new AzureNamedKeyCredential(ACCOUNT, KEY);
  const client = (table: string): TableClient =>
    new TableClient(url, table, credential, {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: 0 },
    });

  it('creates, lists and deletes tables', async () => {
    const service = new TableServiceClient(url, credential, { allowInsecureConnection: true });
    await service.createTable('First');
    await service.createTable('Second');
    const names: (string | undefined)[] = [];
    for await (const { name } of service.listTables()) names.push(name);
    expect(names).toEqual(['First', 'Second']);
    await service.deleteTable('Second');
    await expect(
      client('Second').createEntity({ partitionKey: 'p', rowKey: 'r' }),
    ).rejects.toMatchObject({ statusCode: 404 });
  });

  it('does its ordinary work on rows', async () => {
    const table = client('Orders');
    await table.createTable();
    await table.createEntity({
      partitionKey: "it's / a #key?".replace(/[/#?]/g, '%'),
      rowKey: 'a,b',
      n: 1,
      big: 5n,
      at: new Date(0),
    });
    const rows = [];
    for await (const row of table.listEntities({ queryOptions: { filter: odata`n eq ${1}` } }))
      rows.push(row);
    expect(rows).toMatchObject([{ rowKey: 'a,b', n: 1, big: 5n }]);
    const { etag = '' } = await table.upsertEntity({ partitionKey: 'p', rowKey: 'r', n: 1 });
    await table.updateEntity({ partitionKey: 'p', rowKey: 'r', m: 2 }, 'Merge', { etag });
    await expect(
      table.updateEntity({ partitionKey: 'p', rowKey: 'r', m: 3 }, 'Replace', { etag }),
    ).rejects.toMatchObject({ statusCode: 412 });
    expect(await table.getEntity('p', 'r')).toMatchObject({ n: 1, m: 2 });
    await expect(table.createEntity({ partitionKey: 'p', rowKey: 'r' })).rejects.toMatchObject({
      statusCode: 409,
    });
    await table.deleteEntity('p', 'r');
    await expect(table.getEntity('p', 'r')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('writes transactions whole', async () => {
    const table = client('Whole');
    await table.createTable();
    const transaction = new TableTransaction();
    for (let row = 0; row < 100; row += 1) {
      transaction.createEntity({ partitionKey: 'p', rowKey: `${row}`, row });
    }
    const { subResponses } = await table.submitTransaction(transaction.actions);
    expect(subResponses.map(({ status }) => status)).toEqual(
      Array.from({ length: 100 }, () => 204),
    );
    await expect(
      table.submitTransaction([
        ['upsert', { partitionKey: 'p', rowKey: 'new' }],
        ['create', { partitionKey: 'p', rowKey: '1' }],
      ]),
    ).rejects.toMatchObject({ statusCode: 409 });
    await expect(table.getEntity('p', 'new')).rejects.toMatchObject({ statusCode: 404 });
  });
});
