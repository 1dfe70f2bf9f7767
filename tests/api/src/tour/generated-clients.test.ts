// The clients that other people's generators make of the document, against a real region. They are made
// here, from the document as it is, and must compile before anything is asked of them. Imports are left out: both
// write lines of JSON as one JSON text.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIENT_FOLDER, DOCUMENT_FILE, ROOT } from '../files.ts';
import { runTool } from '../run/run-tool.ts';
import { type OneRegion, startOneRegion } from '../run/start-one-region.ts';

const START_MS_MAX = 300_000;
const PAGES_MAX = 100;
const STRICT = [
  '--ignoreConfig',
  '--noEmit',
  '--strict',
  '--target',
  'es2024',
  '--module',
  'esnext',
];
const RESOLVED = [
  '--moduleResolution',
  'bundler',
  '--skipLibCheck',
  '--lib',
  'es2024,dom,dom.iterable',
];

type Headers = Readonly<Record<string, string>>;

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- what the client makes of it is what is tested.
  readonly body: any;
}

/** The operations of the tour, whatever the generator calls their parts. */
interface Client {
  create(body: object, headers?: Headers): Promise<Answer>;
  get(id: string, headers?: Headers): Promise<Answer>;
  put(id: string, body: object, headers?: Headers): Promise<Answer>;
  patch(id: string, body: object, headers?: Headers): Promise<Answer>;
  remove(id: string, headers?: Headers): Promise<Answer>;
  list(query: object): Promise<Answer>;
  search(body: object): Promise<Answer>;
  batch(body: object): Promise<Answer>;
  export(): Promise<string>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- it is not there before it is generated.
type Generated = Record<string, (...args: any[]) => Promise<any>>;

interface Generator {
  readonly name: string;
  /** Writes the client into the folder and resolves to its files, the one to import first. */
  generate(folder: string, url: string): Promise<readonly [string, ...string[]]>;
  use(generated: Generated, url: string): Client;
}

async function run(name: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runTool(name, { folder: CLIENT_FOLDER, args });
  if (exitCode !== 0) throw new Error(`${name} refused the document: ${stdout}${stderr}`);
}

/** Of its fetch client, which leaves the types out where an operation takes two. */
const orval: Generator = {
  name: 'orval',
  async generate(folder, baseUrl) {
    const target = join(folder, 'orval.ts');
    const config = {
      tandem: { input: DOCUMENT_FILE, output: { target, client: 'fetch', baseUrl } },
    };
    const file = join(folder, 'orval.config.mjs');
    await writeFile(file, `export default ${JSON.stringify(config)};\n`);
    await run('orval', '--config', file);
    return [target];
  },
  use(generated) {
    const call = async (name: string, ...args: unknown[]): Promise<Answer> => {
      const { status, headers, data } = await generated[name]!(...args);
      return { status, etag: headers.get('etag'), body: data };
    };
    return {
      create: (body, headers) => call('createCustomer', body, { headers }),
      get: (id, headers) => call('getCustomer', id, { headers }),
      put: (id, body, headers) => call('putCustomer', id, body, { headers }),
      patch: (id, body, headers) => call('patchCustomer', id, body, { headers }),
      remove: (id, headers) => call('deleteCustomer', id, { headers }),
      list: (query) => call('listCustomers', query),
      search: (body) => call('searchCustomers', body),
      batch: (body) => call('writeCustomers', body),
      export: async () => (await generated['exportCustomers']!()).stream.text(),
    };
  },
};

const heyApi: Generator = {
  name: '@hey-api/openapi-ts',
  async generate(folder) {
    const output = join(folder, 'hey-api');
    await run('openapi-ts', '--input', DOCUMENT_FILE, '--output', output, '--no-log-file');
    return [join(output, 'sdk.gen.ts'), join(output, 'client.gen.ts')];
  },
  use(generated, baseUrl) {
    const call = async (name: string, options: object): Promise<Answer> => {
      const { response, data, error } = await generated[name]!({ baseUrl, ...options });
      return { status: response.status, etag: response.headers.get('etag'), body: data ?? error };
    };
    const of = (customerId: string) => ({ path: { customerId } });
    return {
      create: (body, headers) => call('createCustomer', { body, headers }),
      get: (id, headers) => call('getCustomer', { ...of(id), headers }),
      put: (id, body, headers) => call('putCustomer', { ...of(id), body, headers }),
      patch: (id, body, headers) => call('patchCustomer', { ...of(id), body, headers }),
      remove: (id, headers) => call('deleteCustomer', { ...of(id), headers }),
      list: (query) => call('listCustomers', { query }),
      search: (body) => call('searchCustomers', { body }),
      batch: (body) => call('writeCustomers', { body }),
      export: async () => (await call('exportCustomers', { parseAs: 'text' })).body,
    };
  },
};

let region: OneRegion;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-generated-'));
  region = await startOneRegion();
}, START_MS_MAX);

afterAll(async () => {
  await region?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each([orval, heyApi])('C3: the client that $name makes', (generator) => {
  const email = `${randomUUID()}@example.com`;
  const person = { email, firstName: 'Ada', lastName: null, phoneNumber: null };
  let client: Client;
  let customerId: string;

  beforeAll(async () => {
    const files = await generator.generate(folder, region.url);
    const args = [...STRICT, ...RESOLVED, ...files];
    expect(await runTool('tsc', { folder: ROOT, args })).toMatchObject({ exitCode: 0, stdout: '' });
    client = generator.use(await import(files[0]), region.url);
  }, START_MS_MAX);

  test('creates a customer, and the same one when it is asked again with its key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const created = await client.create({ email, firstName: 'Ada' }, key);
    expect(created).toMatchObject({ status: 201, body: person });
    ({ customerId } = created.body);
    const again = await client.create({ email, firstName: 'Ada' }, key);
    expect(again.body.customerId).toBe(customerId);
  });

  test('reads it, changes a field and puts it back whole', async () => {
    const read = await client.get(customerId);
    expect(read).toMatchObject({ status: 200, body: person });
    const replaced = await client.put(customerId, { ...read.body, lastName: 'Lovelace' });
    expect(replaced).toMatchObject({ status: 200, body: { ...person, lastName: 'Lovelace' } });
  });

  test('patches one field', async () => {
    const patched = await client.patch(customerId, { phoneNumber: '555-0100', lastName: null });
    expect(patched).toMatchObject({ status: 200, body: { ...person, phoneNumber: '555-0100' } });
    expect((await client.get(customerId)).etag).toBe(patched.etag);
  });

  test('writes and reads only under the condition that it names', async () => {
    const { etag: fresh } = await client.get(customerId);
    const unchanged = await client.get(customerId, { 'if-none-match': fresh ?? '' });
    expect(unchanged.status).toBe(304);
    const patched = await client.patch(
      customerId,
      { firstName: 'A.' },
      { 'if-match': fresh ?? '' },
    );
    expect(patched.status).toBe(200);
    const stale = { 'if-match': fresh ?? '' };
    for (const late of [
      await client.patch(customerId, { firstName: 'B.' }, stale),
      await client.put(customerId, { email }, stale),
      await client.put(customerId, { email }, { 'if-none-match': '*' }),
      await client.remove(customerId, stale),
    ]) {
      expect(late).toMatchObject({ status: 412, body: { status: 412 } });
    }
    expect((await client.get(customerId)).body.firstName).toBe('A.');
  });

  test('lists, searches and exports it', async () => {
    const listed: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const { status, body } = await client.list({ limit: 1, ...(cursor && { cursor }) });
      expect(status).toBe(200);
      listed.push(...body.items.map((one: { customerId: string }) => one.customerId));
      cursor = body.nextCursor;
      if (cursor === undefined) break;
    }
    expect(cursor).toBeUndefined();
    expect(listed).toContain(customerId);
    const found = await client.search({ email });
    expect(found.body.items).toMatchObject([{ customerId, email }]);
    const lines = (await client.export()).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).customerId)).toContain(customerId);
  });

  test('writes many at once, and is told of each what became of it', async () => {
    const create = { customerId: randomUUID(), customer: { email } };
    const batch = await client.batch({
      operations: [{ create }, { delete: { customerId: randomUUID() } }],
    });
    const { items } = batch.body as { items: { status: number }[] };
    expect(items.map(({ status }) => status)).toEqual([201, 404]);
  });

  test('deletes it, and is told that it is gone', async () => {
    expect((await client.remove(customerId)).status).toBe(204);
    const gone = await client.get(customerId);
    expect(gone).toMatchObject({
      status: 404,
      body: { type: expect.stringContaining('not-found') },
    });
  });
});
