import assert from 'node:assert/strict';
import azure from 'azure-storage';
import { type OpenClient, partOf } from '../client.ts';

/** The legacy client: it merges by a verb of its own, signs otherwise, and asks for Atom around its transactions. */
export const openAzureStorage: OpenClient = (connection) => {
  // As its users have it: without a filter it takes the first answer that says to come again for the last.
  const again = new azure.LinearRetryPolicyFilter(RETRIES_MAX, RETRY_MS);
  const service = azure.createTableService(connection).withFilter(again);
  return {
    async work(round) {
      const name = tableOf(round);
      await workOnTables(service, name);
      const etag = await workOnRows(service, name);
      await workOnTransactions(service, name);
      await workOnQueries(service, name);
      await workOnSignatures(connection, service, name);
      return { etag };
    },
    async find(round, facts) {
      const name = tableOf(round);
      const row = await ask<Row>((done) =>
        service.retrieveEntity<Row>(name, 'types', 'row', done as never),
      );
      assert.equal(row['.metadata'].etag, (facts as { etag: string }).etag);
      assert.equal(row['text']?._, 'replaced');
      const query = new azure.TableQuery().where('PartitionKey eq ?', 'many');
      assert.equal((await entriesOf(service, name, query)).length, ROWS);
    },
  };
};

const ROWS = 40;
const PAGE = 15;
const RETRIES_MAX = 5;
const RETRY_MS = 1_000;
const HOUR_MS = 3_600_000;

const tableOf = (round: number): string => `AzureStorage${round}`;

type Service = azure.services.table.TableService;
type Row = { readonly [name: string]: { readonly _: unknown } } & {
  readonly '.metadata': { readonly etag: string };
};
type Answer<T> = (error: Error | null, result: T, response?: unknown) => void;

/** Its calls answer by calling back. */
function ask<T>(call: (done: Answer<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

const { entityGenerator: edm } = azure.TableUtilities;

async function workOnTables(service: Service, name: string): Promise<void> {
  const created = (): Promise<{ created: boolean }> =>
    ask((done) => service.createTableIfNotExists(name, done as never));
  assert.equal((await created()).created, true);
  assert.equal((await created()).created, false);
  const listed = await ask<{ entries: string[] }>((done) =>
    service.listTablesSegmentedWithPrefix(name, null as never, done as never),
  );
  assert.deepEqual(listed.entries, [name]);
  const properties = await ask<Record<string, unknown>>((done) =>
    service.getServiceProperties(done as never),
  );
  assert.ok('Logging' in properties);
}

/** Returns the tag of the row that is left. */
async function workOnRows(service: Service, name: string): Promise<string> {
  const keys = { PartitionKey: edm.String('types'), RowKey: edm.String('row') };
  const at = new Date(Date.UTC(2026, 1, 3, 4, 5, 6));
  const values = {
    text: edm.String('Zoë 🎈'),
    whole: edm.Int32(7),
    part: edm.Double(3),
    big: edm.Int64('9007199254740993'),
    at: edm.DateTime(at),
    id: edm.Guid('3fa85f64-5717-4562-b3fc-2c963f66afa6'),
    bytes: edm.Binary(Buffer.from([0, 1, 254, 255])),
  };
  const inserted = await ask<Row>((done) =>
    service.insertEntity(name, { ...keys, ...values }, { echoContent: true }, done as never),
  );
  assert.equal(inserted['big']?._, '9007199254740993');
  await assert.rejects(
    ask((done) => service.insertEntity(name, { ...keys }, done as never)),
    { statusCode: 409, code: 'EntityAlreadyExists' },
  );
  const read = (): Promise<Row> =>
    ask<Row>((done) => service.retrieveEntity(name, 'types', 'row', done as never));
  const first = await read();
  assert.deepEqual(first['at']?._, at);
  assert.deepEqual([first['whole']?._, first['part']?._], [7, 3]);
  const tagged = { ...keys, '.metadata': first['.metadata'] };
  await ask((done) =>
    service.mergeEntity(name, { ...tagged, more: edm.Boolean(true) }, done as never),
  );
  await assert.rejects(
    ask((done) =>
      service.replaceEntity(name, { ...tagged, text: edm.String('late') }, done as never),
    ),
    { statusCode: 412 },
  );
  assert.equal((await read())['more']?._, true);
  await ask((done) =>
    service.insertOrMergeEntity(name, { ...keys, text: edm.String('merged') }, done as never),
  );
  await ask((done) =>
    service.insertOrReplaceEntity(name, { ...keys, text: edm.String('replaced') }, done as never),
  );
  const last = await read();
  assert.equal(last['more'], undefined);
  const other = { PartitionKey: edm.String('types'), RowKey: edm.String('other') };
  await ask((done) => service.insertEntity(name, other, done as never));
  await ask((done) => service.deleteEntity(name, other, done as never));
  await assert.rejects(
    ask((done) => service.deleteEntity(name, other, done as never)),
    { statusCode: 404 },
  );
  return last['.metadata'].etag;
}

async function workOnTransactions(service: Service, name: string): Promise<void> {
  const batch = new azure.TableBatch();
  for (let row = 0; row < ROWS; row += 1) {
    const keys = { PartitionKey: edm.String('many'), RowKey: edm.String(`${100 + row}`) };
    batch.insertOrReplaceEntity({ ...keys, row: edm.Int32(row) });
  }
  const answers = await ask<readonly { error?: unknown }[]>((done) =>
    service.executeBatch(name, batch, done as never),
  );
  assert.equal(answers.length, ROWS);
  assert.deepEqual(
    answers.filter(({ error }) => error !== undefined && error !== null),
    [],
  );
  const refused = new azure.TableBatch();
  refused.insertOrReplaceEntity({ PartitionKey: edm.String('many'), RowKey: edm.String('new') });
  refused.insertEntity(
    { PartitionKey: edm.String('many'), RowKey: edm.String('100') },
    { echoContent: false },
  );
  await assert.rejects(
    ask((done) => service.executeBatch(name, refused, done as never)),
    { code: 'EntityAlreadyExists' },
  );
}

async function entriesOf(
  service: Service,
  name: string,
  query: azure.TableQuery,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let token: azure.services.table.TableService.TableContinuationToken | null | undefined = null;
  do {
    const from = token as never;
    const page: { entries: Row[]; continuationToken?: typeof token } = await ask((done) =>
      service.queryEntities(name, query, from, done as never),
    );
    rows.push(...page.entries);
    token = page.continuationToken;
  } while (token);
  return rows;
}

async function workOnQueries(service: Service, name: string): Promise<void> {
  const page = new azure.TableQuery().top(PAGE).where('PartitionKey eq ?', 'many');
  const rows = await entriesOf(service, name, page);
  assert.deepEqual(
    rows.map((row) => row['row']?._),
    Array.from({ length: ROWS }, (_, row) => row),
  );
  const some = new azure.TableQuery()
    .select('row')
    .where('row ge ?int32?', 10)
    .and('row lt ?int32?', 12);
  assert.deepEqual(
    (await entriesOf(service, name, some)).map((row) => row['row']?._),
    [10, 11],
  );
}

async function workOnSignatures(connection: string, service: Service, name: string): Promise<void> {
  const { QUERY, ADD, UPDATE, DELETE } = azure.TableUtilities.SharedAccessPermissions;
  const token = service.generateSharedAccessSignature(name, {
    AccessPolicy: {
      Permissions: QUERY + ADD + UPDATE + DELETE,
      Expiry: new Date(Date.now() + HOUR_MS),
    },
  });
  const signed = azure.createTableServiceWithSas(partOf(connection, 'TableEndpoint'), token);
  const keys = { PartitionKey: edm.String('signed'), RowKey: edm.String('r') };
  await ask((done) => signed.insertOrReplaceEntity(name, keys, done as never));
  await ask((done) => signed.deleteEntity(name, keys, done as never));
  await assert.rejects(
    ask((done) => signed.deleteTable(name, done as never)),
    { statusCode: 403 },
  );
  const policies = { readers: { Permissions: QUERY, Expiry: new Date(Date.now() + HOUR_MS) } };
  await ask((done) => service.setTableAcl(name, policies as never, done as never));
  const acl = await ask<{ signedIdentifiers: Record<string, unknown> }>((done) =>
    service.getTableAcl(name, done as never),
  );
  assert.deepEqual(Object.keys(acl.signedIdentifiers), ['readers']);
}
