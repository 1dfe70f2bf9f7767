import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FieldValue, type Properties, type TableStore, TerminalError } from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { openRegion, type RegionOpenTable } from '@tandem/region';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';
import { exportToFile } from '../transfer/export-rows.ts';
import { FILE_FORMATS, readRowFile, type SourceRow } from '../transfer/row-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-transfer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS = { 'Customer.DataAccess': 'single-region', 'Messages.WireVersion': '5' } as const;

/** Every type of the service, with what is hard about each. */
const VALUES: Properties = new Map<string, FieldValue>([
  ['text', { type: 'String', value: 'a,"b"\r\nc ' }],
  ['empty', { type: 'String', value: '' }],
  ['number', { type: 'String', value: '007' }],
  ['yes', { type: 'Boolean', value: true }],
  ['small', { type: 'Int32', value: -(2 ** 31) }],
  ['large', { type: 'Int64', value: 2n ** 63n - 1n }],
  ['whole', { type: 'Double', value: 5 }],
  ['nothing', { type: 'Double', value: Number.NaN }],
  ['when', { type: 'DateTime', value: '2026-12-01T02:29:48.1234567Z' }],
  ['id', { type: 'Guid', value: '0f8fad5b-d9cb-469f-a165-70867728950e' }],
  ['bytes', { type: 'Binary', value: new Uint8Array([0, 255, 10]) }],
  ['größe', { type: 'String', value: '\u2028\u{1f600}' }],
]);
const HARD_KEYS = [
  { partitionKey: '', rowKey: '' },
  { partitionKey: 'a b!c', rowKey: "o'neil %25 \u{1f600}" },
  { partitionKey: 'z', rowKey: '2' },
];

interface Account {
  readonly store: TableStore;
  readonly connection: string;
}

async function setUp(accounts: readonly Account[] = []) {
  const store = createMemoryTableStore();
  const open = () =>
    openRegion({
      region: 'east',
      store,
      tables: {},
      settings: SETTINGS,
      logger: createLogger({ service: 'cli', region: 'east', level: 'fatal' }),
    });
  const region = await open();
  await region.catalogue.create('Orders');
  await seedConfiguration({ store, definitions: tandemSettings, values: SETTINGS });
  const inventory = JSON.stringify({
    version: 1,
    regions: [{ name: 'east', storage: 'memory', serviceBus: 'east.servicebus.example' }],
  });
  const run = async (verb: 'import' | 'export', ...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const all = ['--json', 'tables', verb, 'Orders', '--region', 'east', ...args];
    const code = await runProgram(all, {
      out: (line) => void (said.out += line),
      err: (line) => void (said.err += line),
      isTerminal: false,
      environment: { TANDEM_REGIONS: inventory, OLD: 'AccountName=old;AccountKey=c2VjcmV0' },
      folder,
      openStore: (connection) =>
        accounts.find((one) => one.connection === connection)?.store ?? store,
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      openQueue: () => ({}) as never,
      clock: createSystemClock(),
      randomness: createSeededRandomness(1),
      signal: new AbortController().signal,
    });
    const last = said.out.trimEnd().split('\n').at(-1) ?? '{}';
    return { code, json: JSON.parse(last) as Record<string, unknown>, ...said };
  };
  return { run, region, orders: region.openTable('Orders') };
}

async function rowsOf(table: Pick<RegionOpenTable, 'query'>): Promise<unknown[]> {
  const { records } = await table.query();
  return records.map(({ partitionKey, rowKey, values }) => ({
    partitionKey,
    rowKey,
    values: new Map([...values].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }));
}

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};

describe('I12: what is exported and imported again is equal, with its types', () => {
  test.each(['csv', 'ndjson'])('by a file of %s', async (format) => {
    const from = await setUp();
    for (const key of HARD_KEYS) await from.orders.put(key, VALUES);
    await from.orders.put({ partitionKey: 'z', rowKey: '1' }, new Map());
    const file = ['--file', `rows.${format}`];
    expect(await from.run('export', ...file)).toMatchObject({ code: EXIT.ok, json: { rows: 4 } });
    const into = await setUp();
    expect(await into.run('import', ...file, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, read: 4, created: 4, refusedCount: 0 },
    });
    expect(await rowsOf(into.orders)).toEqual(await rowsOf(from.orders));
    const again = await into.run('export', '--file', `again.${format}`);
    expect(again.code).toBe(EXIT.ok);
    const texts = ['rows', 'again'].map((name) =>
      readFileSync(join(folder, `${name}.${format}`), 'utf8'),
    );
    // C1: many readers of lines take these for the end of one.
    const ofJson = format === 'ndjson' ? texts.join('') : '';
    expect(ofJson).not.toMatch(/[\u007F-\u009F\u2028\u2029]/);
    const withoutTimes = texts.map((text) =>
      text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z(?=,|")/g, 'T'),
    );
    expect(withoutTimes[1]).toBe(withoutTimes[0]);
  });

  test('by a plain table of another account, rows without a column of ours', async () => {
    const account = {
      store: createMemoryTableStore(),
      connection: 'AccountName=old;AccountKey=c2VjcmV0',
    };
    const from = await setUp([account]);
    // A plain store takes no empty keys by themselves.
    for (const key of HARD_KEYS.slice(1)) await from.orders.put(key, VALUES);
    const other = ['--account', 'env:OLD', '--account-table', 'Plain'];
    expect(await from.run('export', ...other)).toMatchObject({ code: EXIT.ok, json: { rows: 2 } });
    const [key] = HARD_KEYS.slice(1);
    const plain = await account.store.get('Plain', key!.partitionKey, key!.rowKey);
    expect([...plain!.properties.keys()].toSorted()).toEqual([...VALUES.keys()].toSorted());
    const into = await setUp([account]);
    const imported = await into.run('import', ...other, '--apply');
    expect(imported).toMatchObject({ code: EXIT.ok, json: { created: 2 } });
    expect(imported.out).not.toContain('c2VjcmV0');
    expect(await rowsOf(into.orders)).toEqual(await rowsOf(from.orders));
    expect(await from.run('export', ...other)).toMatchObject({ code: EXIT.usage });
    expect(await from.run('export', ...other, '--overwrite')).toMatchObject({ code: EXIT.ok });
  });
});

describe('what is cut off goes on with the same command', () => {
  const key = (nth: number) => ({ partitionKey: 'p', rowKey: String(nth).padStart(5, '0') });
  const connection = 'AccountName=old;AccountKey=c2VjcmV0';

  /** An account that answers so many pages, and then refuses all. */
  function lastingFor(store: TableStore, pages: number): { account: Account; asked: number[] } {
    const asked: number[] = [];
    const query: TableStore['query'] = async (range) => {
      if (asked.length >= pages) throw new TerminalError('TABLE_FORBIDDEN', 'The key is gone.');
      const page = await store.query(range);
      asked.push(page.rows.length);
      return page;
    };
    return { account: { store: { ...store, query }, connection }, asked };
  }

  test('an import, behind what is settled', async () => {
    const old = createMemoryTableStore();
    await old.createTable('Orders');
    for (let nth = 0; nth < 2_500; nth += 100) {
      const operations = Array.from({ length: 100 }, (_, index) => ({
        kind: 'insert' as const,
        rowKey: key(nth + index).rowKey,
        properties: new Map([['n', { type: 'Int32' as const, value: nth + index }]]),
      }));
      await old.commit({ table: 'Orders', partitionKey: 'p', operations });
    }
    const accounts: Account[] = [lastingFor(old, 1).account];
    const { run, orders } = await setUp(accounts);
    const command = ['--account', 'env:OLD', '--apply', '--rows-per-second', '100000'];
    expect((await run('import', ...command)).code).toBe(EXIT.forbidden);
    const rest = lastingFor(old, 10);
    accounts[0] = rest.account;
    const done = await run('import', ...command);
    expect(done).toMatchObject({
      code: EXIT.ok,
      json: { resumed: true, read: 2_500, created: 2_500, same: 0 },
    });
    expect(rest.asked).toEqual([1_000, 500]);
    expect(await orders.get(key(2_499))).toBeDefined();
    // One that is over begins from the start again, and finds all of it there.
    expect((await run('import', ...command)).json).toMatchObject({ resumed: false, same: 2_500 });
  });

  test.each(FILE_FORMATS)('an export to a file of %s', async (format) => {
    const records = Array.from({ length: 30 }, (_, nth) => ({
      ...key(nth),
      values: new Map([['n', { type: 'Int32' as const, value: nth }]]),
      version: new Map(),
      origin: 'east',
      referenceId: undefined,
    }));
    let pagesLeft = format === 'csv' ? 4 : 1;
    const readPage = async (cursor: string | undefined) => {
      if (pagesLeft === 0) throw new TerminalError('TABLE_FORBIDDEN', 'The key is gone.');
      pagesLeft -= 1;
      const from = Number(cursor ?? 0);
      const next = from + 10 < 30 ? String(from + 10) : undefined;
      return { records: records.slice(from, from + 10), cursor: next };
    };
    const path = join(folder, 'rows');
    const file = { path, format, overwrites: false, table: 'Orders of east' };
    const options = {
      readPage,
      rowsPerSecond: 100_000,
      clock: createSystemClock(),
      signal: new AbortController().signal,
      onProgress: () => undefined,
    };
    await expect(exportToFile(file, options)).rejects.toMatchObject({ code: 'TABLE_FORBIDDEN' });
    expect(existsSync(path)).toBe(false);
    pagesLeft = 2;
    // What was written after the last page that is settled goes.
    appendFileSync(`${path}.part`, 'half a li');
    expect(await exportToFile(file, options)).toEqual({ rows: 30, isResumed: true });
    const rows: SourceRow[] = [];
    for await (const row of readRowFile({ path, format })) rows.push(row);
    expect(rows.map((one) => one.kind === 'row' && one.row.rowKey)).toEqual(
      records.map(({ rowKey }) => rowKey),
    );
    expect(existsSync(`${path}.position`)).toBe(false);
    await expect(exportToFile(file, options)).rejects.toThrow('There is a file');
  });
});

describe('a file that others have written', () => {
  const TYPED = [
    'PartitionKey,RowKey,Timestamp,Age,Age@type,Name,Name@type,Seen,Seen@type',
    'p,1,2020-01-01T00:00:00.000Z,7,Edm.Int32,Ada,Edm.String,2020-01-01T00:00:00.000Z,Edm.DateTime',
    'p,2,2020-01-01T00:00:00.000Z,7,Int64,,,,',
    'p,3,2020-01-01T00:00:00.000Z,True,Boolean,,String,,',
  ].join('\r\n');

  test('of Storage Explorer, types beside the values, in either spelling', async () => {
    const { run, orders } = await setUp();
    const done = await run('import', '--file', write('typed.csv', TYPED), '--apply');
    expect(done).toMatchObject({ code: EXIT.ok, json: { created: 3 } });
    const rows = (await orders.query()).records.map(({ values }) => Object.fromEntries(values));
    expect(rows).toEqual([
      {
        Age: { type: 'Int32', value: 7 },
        Name: { type: 'String', value: 'Ada' },
        Seen: { type: 'DateTime', value: '2020-01-01T00:00:00Z' },
      },
      { Age: { type: 'Int64', value: 7n } },
      { Age: { type: 'Boolean', value: true }, Name: { type: 'String', value: '' } },
    ]);
  });

  test('of AzCopy, types in a file of their own; without it all is text', async () => {
    const { run, orders } = await setUp();
    const data = write(
      'azcopy.csv',
      '"PartitionKey","RowKey","Timestamp","Age"\r\n"p","1","x","7"\r\n',
    );
    const types = write(
      'azcopy.csv.schema.csv',
      '"PartitionKey","RowKey","Timestamp","Age"\r\n"Edm.String","Edm.String","Edm.DateTime","Edm.Int32"\r\n',
    );
    expect((await run('import', '--file', data, '--apply')).code).toBe(EXIT.ok);
    const age = async () =>
      (await orders.get({ partitionKey: 'p', rowKey: '1' }))?.values.get('Age');
    expect(await age()).toEqual({ type: 'String', value: '7' });
    const again = ['import', '--file', data, '--types', types, '--apply', '--begin-anew'] as const;
    expect(await run(...again)).toMatchObject({ code: EXIT.finding, json: { refusedCount: 1 } });
    expect((await run(...again, '--overwrite')).json).toMatchObject({ replaced: 1 });
    expect(await age()).toEqual({ type: 'Int32', value: 7 });
  });

  test('names every row that is refused, with its reason, and takes the others', async () => {
    const { run, orders } = await setUp();
    const lines = [
      '{"PartitionKey":"p","RowKey":"1","n":1}',
      'no json',
      '{"PartitionKey":"p","n":1}',
      '{"PartitionKey":"p/q","RowKey":"1"}',
      `{"PartitionKey":"${'p'.repeat(300)}","RowKey":"${'r'.repeat(300)}"}`,
      '{"PartitionKey":"p","RowKey":"2","a-b":1}',
      '{"PartitionKey":"p","RowKey":"2","n":"x","n@odata.type":"Edm.Int32"}',
      '{"PartitionKey":"p","RowKey":"1","n":2}',
      `{"PartitionKey":"p","RowKey":"big","s":"${'x'.repeat(40_000)}"}`,
      '',
      '{"PartitionKey":"p","RowKey":"3"}',
    ];
    const file = ['--file', write('rows.ndjson', lines.join('\n'))];
    const looked = await run('import', ...file);
    expect(looked).toMatchObject({ code: EXIT.finding, json: { applied: false, read: 10 } });
    expect((await orders.query()).records).toEqual([]);
    const { code, json } = await run('import', ...file, '--apply');
    expect(code).toBe(EXIT.finding);
    expect(json).toMatchObject({ created: 2, refusedCount: 8 });
    expect(json['refused']).toEqual([
      { place: 'line 2', reason: expect.stringContaining('InvalidInput') },
      { place: 'line 3', reason: 'It has no PartitionKey and RowKey.' },
      { place: 'line 4', reason: expect.stringContaining('OutOfRangeInput') },
      expect.objectContaining({
        place: 'line 5',
        reason: expect.stringMatching(/600 .*limit is 502/),
      }),
      { place: 'line 6', reason: expect.stringContaining('PropertyNameInvalid') },
      { place: 'line 7', reason: expect.stringContaining('not an Edm.Int32') },
      expect.objectContaining({
        place: 'line 8',
        rowKey: '1',
        reason: expect.stringContaining('--overwrite'),
      }),
      { place: 'line 9', reason: expect.stringContaining('PropertyValueTooLarge') },
    ]);
  });

  test('ends where too many rows are refused', async () => {
    const { run } = await setUp();
    const file = write('bad.ndjson', Array.from({ length: 600 }, () => 'x').join('\n'));
    const done = await run('import', '--file', file, '--refused-max', '10', '--apply');
    expect(done).toMatchObject({ code: EXIT.finding, json: { stopped: true, read: 250 } });
  });

  test.each([
    ['none.csv', undefined, [], 'There is no file'],
    ['empty.csv', '', [], 'is empty'],
    ['keys.csv', 'a,b\r\n', [], 'has no column PartitionKey'],
    ['twice.csv', 'PartitionKey,RowKey,a,a\r\n', [], 'the column "a" twice'],
    ['latin.csv', Buffer.from([0x50, 0xe4, 0x0a]), [], 'is not UTF-8'],
    ['good.ndjson', '', ['--types', 'x'], '--types is for a file of CSV'],
    ['good.csv', 'PartitionKey,RowKey\r\n', ['--account', 'env:OLD'], 'one of them'],
  ] as const)('%s is refused by name', async (name, content, more, message) => {
    const { run } = await setUp();
    if (content !== undefined) writeFileSync(join(folder, name), content);
    const refused = await run('import', '--file', name, '--apply', ...more);
    expect(refused.code).toBe(EXIT.usage);
    expect(refused.err).toContain(message);
  });

  test('an account is named without its key on the command line', async () => {
    const { run } = await setUp();
    const refused = await run('import', '--account', 'AccountName=a;AccountKey=c2VjcmV0');
    expect(refused.code).toBe(EXIT.usage);
    expect(refused.err).toContain('does not belong on a command line');
    expect(refused.err + refused.out).not.toContain('c2VjcmV0');
    expect((await run('import', '--account', 'env:NONE')).err).toContain('NONE is not set');
    const gone = await run('import', '--file', 'x', '--region', 'east');
    expect(gone.code).toBe(EXIT.usage);
  });
});
