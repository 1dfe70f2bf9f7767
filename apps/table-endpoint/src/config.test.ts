import { describe, expect, it } from 'vitest';
import { DEVELOPMENT_ACCOUNT, readConfig } from './config.ts';

const GOOD = { REGION_ID: 'east', STORAGE_CONNECTION: 'UseDevelopmentStorage=true', PORT: '8083' };
const KEY = Buffer.alloc(64, 1).toString('base64');
const OTHER_KEY = Buffer.alloc(64, 2).toString('base64');

function read(environment: Readonly<Record<string, string>>) {
  const reading = readConfig({ ...GOOD, ...environment });
  return reading.ok ? reading.config : reading.problems;
}

describe('the accounts', () => {
  it('are none by default: the process starts, and refuses everybody', () => {
    expect(read({})).toMatchObject({ accounts: [], auth: undefined, trustedProxies: undefined });
  });

  it('have two keys, one, or none', () => {
    const accounts = [
      { account: 'shop', keys: [KEY, OTHER_KEY] },
      { account: 'old', keys: [KEY] },
      { account: 'tokens', keys: [] },
    ];
    expect(read({ TABLE_ACCOUNTS: `shop:${KEY},${OTHER_KEY};old:${KEY};tokens` })).toMatchObject({
      accounts,
    });
    expect(
      read({ TABLE_ACCOUNTS: ` shop:${KEY}, ${OTHER_KEY}; old:${KEY} ;;tokens:;` }),
    ).toMatchObject({ accounts });
  });

  it.each([
    [`Shop:${KEY}`, /account 1 has no name/],
    [`a:${KEY}`, /account 1 has no name/],
    [`health:${KEY}`, /account 1 is called health/],
    [`shop:${KEY};shop:${OTHER_KEY}`, /account 2 is there twice/],
    [`shop:${KEY},${KEY},${OTHER_KEY}`, /account 1 has 3 keys/],
    ['shop:hunter2hunter2', /account 1 has a key that is not base64/],
    [`shop:${KEY.slice(1)}`, /account 1 has a key that is not base64/],
    ['shop:,', /account 1 has a key that is not base64/],
  ])('are refused as %j, and the text is not repeated', (text, problem) => {
    const problems = read({ TABLE_ACCOUNTS: text });
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(JSON.stringify(problems)).not.toMatch(/hunter2|AQEB/);
  });

  it('have the key of emulators on loopback alone, or in a network that is declared closed', () => {
    const TABLE_ACCOUNTS = `${DEVELOPMENT_ACCOUNT.account}:${DEVELOPMENT_ACCOUNT.key}`;
    expect(read({ TABLE_ACCOUNTS })).toMatchObject({ accounts: [{ account: 'devstoreaccount1' }] });
    expect(read({ TABLE_ACCOUNTS, HOST: '0.0.0.0' })).toEqual([
      expect.stringMatching(/^TABLE_ACCOUNTS has the key that every emulator/),
    ]);
    const closed = { TABLE_ACCOUNTS, HOST: '0.0.0.0', AUTH_OPEN_NETWORK: 'true' };
    expect(read(closed)).toMatchObject({ listen: { host: '0.0.0.0' } });
  });
});

describe('G1: who may ask', () => {
  const asked = { method: 'GET', target: '/', rawHeaders: ['host', 'evil.example'] };

  it('is nobody under a foreign name where the key of emulators signs, and anybody else where none does', () => {
    const TABLE_ACCOUNTS = `${DEVELOPMENT_ACCOUNT.account}:${DEVELOPMENT_ACCOUNT.key}`;
    const judged = read({ TABLE_ACCOUNTS });
    expect('judgeRequest' in judged && judged.judgeRequest?.(asked).kind).toBe('refused');
    const named = read({ TABLE_ACCOUNTS, ALLOWED_HOSTS: 'a.example, evil.example' });
    expect('judgeRequest' in named && named.judgeRequest?.(asked).kind).toBe('taken');
    expect(read({ TABLE_ACCOUNTS: `shop:${KEY}` })).toMatchObject({ judgeRequest: undefined });
    const own = read({ TABLE_ACCOUNTS: `shop:${KEY}`, ALLOWED_HOSTS: 'a.example' });
    expect('judgeRequest' in own && own.judgeRequest?.(asked).kind).toBe('refused');
  });
});

it('lists every problem at once', () => {
  const problems = read({
    PORT: 'x',
    AUTH_ISSUER: 'issuer',
    REQUEST_BODIES_MIB: '1',
    TRUSTED_PROXIES: 'everybody',
  });
  expect(Array.isArray(problems) && problems.map((one) => one.split(' ')[0])).toEqual([
    'PORT',
    'AUTH_ISSUER',
    'TRUSTED_PROXIES',
    'REQUEST_BODIES_MIB',
  ]);
});

it('takes the issuer of tokens, and the networks in front of it', () => {
  const auth = { AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'api://tables' };
  expect(read({ ...auth, TRUSTED_PROXIES: '10.0.0.0/8, ::1' })).toMatchObject({
    auth: { issuer: 'https://issuer.example', audience: 'api://tables', tokenType: 'at+jwt' },
    trustedProxies: '10.0.0.0/8, ::1',
  });
});
