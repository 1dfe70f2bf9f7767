// The tour of docs/api.md with the generated client: node client-tour.ts <region> <another region>.
import { randomUUID } from 'node:crypto';
import { type CustomerApi, type components, createApiClient } from '@tandem/customer-client';

type Body = components['schemas']['Customer'];

const [hereUrl = 'http://127.0.0.1:7710', thereUrl = 'http://127.0.0.1:7720'] =
  process.argv.slice(2);
const here = createApiClient({ baseUrl: hereUrl });
const there = createApiClient({ baseUrl: thereUrl });
const EMAIL = `client-${randomUUID()}@example.com`;
const WAIT = { prefer: 'wait=10' };

function tell(what: string, ...seen: readonly unknown[]): void {
  process.stdout.write(`${what.padEnd(22)} ${seen.join(' ')}\n`);
}

async function create(): Promise<{ readonly customerId: string; readonly etag: string }> {
  const header = { 'idempotency-key': randomUUID() };
  const body = { email: EMAIL, firstName: 'Ada' };
  const first = await here.POST('/customers', { params: { header }, body });
  tell('create', first.response.status);
  const path = { customerId: first.data?.customerId ?? '' };

  const version = first.response.headers.get('x-tandem-version') ?? '';
  const least = { ...WAIT, 'x-tandem-min-version': version };
  const seen = await there.GET('/customers/{customerId}', { params: { path, header: least } });
  tell('read it elsewhere', seen.response.status, seen.data?.firstName);
  const again = await there.POST('/customers', { params: { header }, body });
  const isSame = again.data?.customerId === path.customerId;
  tell('create it elsewhere', again.response.status, isSame ? 'the same customer' : 'ANOTHER ONE');

  const etag = first.response.headers.get('etag') ?? '';
  const params = { path, header: { 'if-none-match': etag } };
  const unchanged = await here.GET('/customers/{customerId}', { params });
  tell('read it again', unchanged.response.status);
  return { ...path, etag };
}

async function change(path: { readonly customerId: string }, etag: string): Promise<void> {
  const params = { path, header: { 'if-match': etag } };
  const patch = (phoneNumber: string) =>
    here.PATCH('/customers/{customerId}', { params, body: { phoneNumber } });
  const changed = await patch('555-0100');
  tell('change it', changed.response.status, changed.data?.phoneNumber);
  const late = await patch('555-0199');
  tell('change an old version', late.response.status, late.error?.type);
  const queued = await here.PUT('/customers/{customerId}', {
    params: { path, header: { prefer: 'ack=queued, wait=10' } },
    body: { email: EMAIL, firstName: 'Ada', lastName: 'Lovelace' },
  });
  tell('replace it', queued.response.status, queued.response.headers.get('x-tandem-acknowledged'));
  const receipt = queued.response.headers.get('x-tandem-receipt') ?? '';
  const asked = { path, query: { receipt }, header: WAIT };
  const applied = await here.GET('/customers/{customerId}/receipt', { params: asked });
  tell('is it everywhere', applied.data?.appliedEverywhere);
}

async function writeMany(): Promise<string> {
  const customerId = randomUUID();
  const customer = { email: EMAIL, firstName: 'Bob' };
  const batch = await here.POST('/customers/batch', {
    body: {
      operations: [{ create: { customerId, customer } }, { delete: { customerId: randomUUID() } }],
    },
  });
  tell('write a batch', ...(batch.data?.items ?? []).map(({ status }) => status));
  const lines = [customerId, randomUUID()].map(
    (id) => `${JSON.stringify({ customerId: id, ...customer })}\n`,
  );
  const report = await here.POST('/customers/import', {
    body: lines.join(''),
  });
  const last = report.data?.trim().split('\n').at(-1) ?? '{}';
  tell('import two lines', (JSON.parse(last) as { outcome?: string }).outcome);
  return customerId;
}

async function readMany(customerId: string): Promise<void> {
  const found: Body[] = [];
  let cursor: string | undefined;
  do {
    const body = { email: EMAIL, ...(cursor === undefined ? {} : { cursor }) };
    const { data } = await here.POST('/customers/search', { body });
    found.push(...(data?.items ?? []));
    cursor = data?.nextCursor;
  } while (cursor !== undefined);
  tell('search by e-mail', found.length);
  const all = await here.GET('/customers/export');
  const isThere = all.data?.includes(customerId) === true;
  tell('export', all.response.status, isThere ? 'all lines' : 'WITHOUT IT');
}

async function remove(api: CustomerApi, path: { readonly customerId: string }): Promise<void> {
  const params = { path };
  const removed = await api.DELETE('/customers/{customerId}', { params });
  const gone = await api.GET('/customers/{customerId}', { params });
  tell('delete it', removed.response.status, gone.response.status, gone.error?.type);
  const history = await api.GET('/customers/{customerId}/history', { params });
  tell('its history', history.response.status);
}

const { customerId, etag } = await create();
const path = { customerId };
await change(path, etag);
await readMany(await writeMany());
await remove(here, path);
