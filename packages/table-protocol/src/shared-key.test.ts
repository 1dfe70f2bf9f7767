import { createHmac } from 'node:crypto';
import { AzureNamedKeyCredential, TableClient } from '@azure/data-tables';
import { describe, expect, it } from 'vitest';
import { type SignedRequest, verifySharedKey } from './shared-access.ts';

const KEY = Buffer.from('the key of a test').toString('base64');
const OTHER = Buffer.from('another key').toString('base64');
const ACCOUNT = { account: 'acc', keys: [OTHER, KEY] };
const NOW = Date.parse('2026-11-30T22:00:00Z');
const DATE = 'Mon, 30 Nov 2026 22:00:00 GMT';

const sign = (text: string): string =>
  createHmac('sha256', Buffer.from(KEY, 'base64')).update(text).digest('base64');

function sharedKey(changes: Partial<SignedRequest> = {}): SignedRequest {
  const request: SignedRequest = {
    method: 'PUT',
    path: "/acc/T(PartitionKey='%25',RowKey='')",
    comp: undefined,
    headers: { 'content-type': 'application/json', 'x-ms-date': DATE, date: 'ignored' },
    ...changes,
  };
  const text = `${request.method}\n\napplication/json\n${DATE}\n/acc${request.path}`;
  const authorization = `SharedKey acc:${sign(text)}`;
  return { ...request, headers: { authorization, ...request.headers } };
}

const isRefused = (code: string): object => expect.objectContaining({ code }) as object;

describe('a signed request', () => {
  it('passes with either key, whole or lite', () => {
    expect(() => verifySharedKey(sharedKey(), ACCOUNT, NOW)).not.toThrow();
    const authorization = `SharedKeyLite acc:${sign(`${DATE}\n/acc/acc?comp=properties`)}`;
    const lite = {
      method: 'GET',
      path: '/acc',
      comp: 'properties',
      headers: { authorization, 'x-ms-date': DATE },
    };
    expect(() => verifySharedKey(lite, ACCOUNT, NOW)).not.toThrow();
  });

  it('passes at the secondary address, signed for it or for the first', () => {
    const path = '/acc-secondary/T()';
    for (const signed of [path, '/acc/T()']) {
      const authorization = `SharedKeyLite acc:${sign(`${DATE}\n/acc${signed}`)}`;
      const request = {
        method: 'GET',
        path,
        comp: undefined,
        headers: { authorization, 'x-ms-date': DATE },
      };
      expect(() => verifySharedKey(request, ACCOUNT, NOW)).not.toThrow();
    }
  });

  it('of the SDK passes', async () => {
    const seen: SignedRequest[] = [];
    const client = new TableClient(
      'https://localhost/acc',
      'T',
      new AzureNamedKeyCredential('acc', KEY),
      {
        httpClient: {
          sendRequest: (request) => {
            const { pathname } = new URL(request.url);
            seen.push({
              method: request.method,
              path: pathname,
              comp: undefined,
              headers: Object.fromEntries(request.headers),
            });
            return Promise.resolve({ request, status: 204, headers: request.headers });
          },
        },
      },
    );
    await client.upsertEntity({ partitionKey: "a'b %", rowKey: 'ä' });
    const [request] = seen;
    if (request === undefined) throw new Error('nothing was sent');
    expect(() => verifySharedKey(request, ACCOUNT, Date.now())).not.toThrow();
  });

  it('is refused with another method, path, type, date, account or key, and outside of its time', () => {
    const failed = isRefused('AuthenticationFailed');
    const request = sharedKey();
    expect(() => verifySharedKey({ ...request, method: 'GET' }, ACCOUNT, NOW)).toThrow(failed);
    expect(() => verifySharedKey({ ...request, path: '/acc/T' }, ACCOUNT, NOW)).toThrow(failed);
    const typed = { ...request, headers: { ...request.headers, 'content-type': 'text/plain' } };
    expect(() => verifySharedKey(typed, ACCOUNT, NOW)).toThrow(failed);
    const dated = {
      ...request,
      headers: { ...request.headers, 'x-ms-date': 'Mon, 30 Nov 2026 22:00:01 GMT' },
    };
    expect(() => verifySharedKey(dated, ACCOUNT, NOW)).toThrow(failed);
    expect(() => verifySharedKey(request, { ...ACCOUNT, account: 'other' }, NOW)).toThrow(failed);
    expect(() => verifySharedKey(request, { ...ACCOUNT, keys: [OTHER] }, NOW)).toThrow(failed);
    expect(() => verifySharedKey(request, ACCOUNT, NOW + 15 * 60_000)).not.toThrow();
    expect(() => verifySharedKey(request, ACCOUNT, NOW + 15 * 60_000 + 1)).toThrow(failed);
    expect(() => verifySharedKey(request, ACCOUNT, NOW - 15 * 60_000 - 1)).toThrow(failed);
  });

  it.each(['', '!'])('is refused where the key is %o, which has no secret in it', (key) => {
    const signature = createHmac('sha256', Buffer.alloc(0))
      .update(`${DATE}\n/acc/acc`)
      .digest('base64');
    const authorization = `SharedKeyLite acc:${signature}`;
    const headers = { authorization, 'x-ms-date': DATE };
    const request = { method: 'GET', path: '/acc', comp: undefined, headers };
    const account = { account: 'acc', keys: [key] };
    expect(() => verifySharedKey(request, account, NOW)).toThrow(isRefused('AuthenticationFailed'));
  });

  it.each([
    undefined,
    '',
    'SharedKey',
    'SharedKey acc',
    'SharedKey acc:',
    'Basic acc:eA==',
    'SharedKey a b:eA==',
  ])('with the header %o is refused', (authorization) => {
    const request = {
      method: 'GET',
      path: '/acc',
      comp: undefined,
      headers: { authorization, 'x-ms-date': DATE },
    };
    expect(() => verifySharedKey(request, ACCOUNT, NOW)).toThrow(
      isRefused('InvalidAuthenticationInfo'),
    );
  });
});
