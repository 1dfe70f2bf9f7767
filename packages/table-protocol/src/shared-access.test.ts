import { createHmac } from 'node:crypto';
import { AzureNamedKeyCredential, generateAccountSas, generateTableSas } from '@azure/data-tables';
import { describe, expect, it } from 'vitest';
import {
  type AccessRequest,
  checkGrant,
  type Grant,
  hasSharedAccess,
  isInRange,
  readAccessTimeMs,
  type StoredPolicy,
  type TableOperation,
  verifySharedAccess,
} from './shared-access.ts';
import { refusalOf } from './testing/refusal.ts';

const KEY = Buffer.from('the key of a test').toString('base64');
const CREDENTIAL = new AzureNamedKeyCredential('acc', KEY);
const ACCOUNT = { account: 'acc', keys: [KEY] };
const NOW = Date.parse('2026-11-30T22:00:00Z');
const expiresOn = new Date(NOW + 60_000);

const failed = expect.objectContaining({ code: 'AuthenticationFailed' }) as object;

function verify(sas: string, changes: Partial<AccessRequest> = {}): Grant {
  const query = new Map(new URLSearchParams(sas));
  expect(hasSharedAccess(query)).toBe(true);
  const request: AccessRequest = {
    query,
    ip: '10.0.0.1',
    isHttps: true,
    nowMs: NOW,
    policyOf: () => undefined,
    ...changes,
  };
  return verifySharedAccess(request, ACCOUNT);
}

const tableSas = (options: Parameters<typeof generateTableSas>[2] = {}): string =>
  generateTableSas('MyTable', CREDENTIAL, { expiresOn, ...options });

describe('a signature of an account', () => {
  const sas = generateAccountSas(CREDENTIAL, {
    expiresOn,
    services: { table: true },
    permissions: { query: true, add: true },
    resourceTypes: 'o',
  });

  it('of the SDK gives what it says', () => {
    const grant = verify(sas);
    expect(grant).toMatchObject({ kind: 'account', resourceTypes: 'o' });
    expect(() => checkGrant(grant, { operation: 'queryEntities', table: 'T' })).not.toThrow();
    expect(() => checkGrant(grant, { operation: 'insertEntity', table: 'T' })).not.toThrow();
    expect(() => checkGrant(grant, { operation: 'upsertEntity', table: 'T' })).toThrow(
      expect.objectContaining({ code: 'AuthorizationPermissionMismatch' }),
    );
    expect(() => checkGrant(grant, { operation: 'queryTables' })).toThrow(
      expect.objectContaining({ code: 'AuthorizationResourceTypeMismatch' }),
    );
    expect(() => checkGrant(grant, { operation: 'getTableAcl', table: 'T' })).toThrow(
      expect.objectContaining({ code: 'AuthorizationFailure' }),
    );
  });

  it('is refused when a letter of it is changed, and outside of its time', () => {
    const parameters = new URLSearchParams(sas);
    for (const [name, value] of parameters) {
      const changed = new URLSearchParams(sas);
      changed.set(name, value.startsWith('r') ? `a${value.slice(1)}` : `r${value}`);
      expect(() => verify(changed.toString()), name).toThrow(failed);
    }
    expect(() => verify(sas, { nowMs: expiresOn.getTime() })).not.toThrow();
    expect(() => verify(sas, { nowMs: expiresOn.getTime() + 1_000 })).toThrow(failed);
  });

  it('of another service is refused', () => {
    const query = new Map([
      ['sv', '2019-02-02'],
      ['ss', 'b'],
      ['srt', 'o'],
      ['sp', 'r'],
      ['se', '2027-01-01'],
    ]);
    const text = ['acc', 'r', 'b', 'o', '', '2027-01-01', '', '', '2019-02-02', ''].join('\n');
    query.set(
      'sig',
      createHmac('sha256', Buffer.from(KEY, 'base64')).update(text).digest('base64'),
    );
    expect(() => verify(new URLSearchParams([...query]).toString())).toThrow(
      expect.objectContaining({ code: 'AuthorizationServiceMismatch' }),
    );
  });
});

describe('a signature of a table', () => {
  it('of the SDK covers its table in any case, and no other', () => {
    const grant = verify(tableSas({ permissions: { query: true, add: true, update: true } }));
    expect(() =>
      checkGrant(grant, { operation: 'upsertEntity', table: 'mytable', row: ['p', 'r'] }),
    ).not.toThrow();
    for (const access of [
      { operation: 'queryEntities', table: 'Other' },
      { operation: 'queryTables' },
      { operation: 'deleteTable', table: 'MyTable' },
    ] as const) {
      expect(() => checkGrant(grant, access)).toThrow(
        expect.objectContaining({ code: 'AuthorizationFailure' }),
      );
    }
    expect(() =>
      checkGrant(grant, { operation: 'deleteEntity', table: 'MyTable', row: ['p', 'r'] }),
    ).toThrow(expect.objectContaining({ code: 'AuthorizationPermissionMismatch' }));
  });

  it('covers the range that it names, both ends included', () => {
    const grant = verify(
      tableSas({
        permissions: { query: true, add: true },
        startPartitionKey: 'b',
        startRowKey: '2',
        endPartitionKey: 'd',
        endRowKey: '5',
      }),
    );
    const isCovered = (row: readonly [string, string]): boolean => {
      const code = refusalOf(() =>
        checkGrant(grant, { operation: 'insertEntity', table: 'MyTable', row }),
      );
      expect([undefined, 'AuthorizationFailure']).toContain(code);
      const toRead = { operation: 'queryEntities', table: 'MyTable', row } as const;
      expect(refusalOf(() => checkGrant(grant, toRead))).toBe(code && 'ResourceNotFound');
      return code === undefined;
    };
    const rows: readonly (readonly [string, string, boolean])[] = [
      ['a', '9', false],
      ['b', '1', false],
      ['b', '2', true],
      ['c', '0', true],
      ['d', '5', true],
      ['d', '51', false],
      ['e', '0', false],
    ];
    for (const [partitionKey, rowKey, expected] of rows) {
      expect(isCovered([partitionKey, rowKey]), `${partitionKey} ${rowKey}`).toBe(expected);
    }
  });

  it('is in force by its policy, which cannot be the policy of another table', () => {
    const sas = generateTableSas('MyTable', CREDENTIAL, { identifier: 'mine' });
    const policy: StoredPolicy = { expiry: expiresOn.toISOString(), permissions: 'r' };
    const policyOf = (table: string, id: string): StoredPolicy | undefined =>
      table === 'mytable' && id === 'mine' ? policy : undefined;
    expect(verify(sas, { policyOf })).toMatchObject({ permissions: 'r', table: 'mytable' });
    const ofOther = generateTableSas('Other', CREDENTIAL, { identifier: 'mine' });
    expect(() => verify(ofOther, { policyOf })).toThrow(failed);
    expect(() => verify(sas, { policyOf: () => ({ permissions: 'r' }) })).toThrow(
      /no time of expiry/,
    );
    // The service refuses what both say.
    expect(() =>
      verify(tableSas({ identifier: 'mine', permissions: { query: true } }), { policyOf }),
    ).toThrow(failed);
    expect(() => verify(tableSas({ identifier: 'gone' }), { policyOf })).toThrow(failed);
  });

  it.each([
    ['2027-02-30T00:00:00Z', undefined],
    ['2027-02-30', undefined],
    ['2027-02-28T24:00:00Z', undefined],
    ['2027-02-28T10:00:60Z', undefined],
    ['2027-02-28T10:00:00+00:00', undefined],
    ['2027-02-28', Date.UTC(2027, 1, 28)],
    ['2027-02-28T10:00Z', Date.UTC(2027, 1, 28, 10)],
    ['2027-02-28T10:00:00.1234567Z', Date.UTC(2027, 1, 28, 10) + 123],
  ])('has a time by ISO 8601 in UTC, of a day that exists: %s', (text, expected) => {
    expect(readAccessTimeMs(text)).toBe(expected);
    const sas = generateTableSas('MyTable', CREDENTIAL, { identifier: 'mine' });
    const policy: StoredPolicy = { expiry: text, permissions: 'r' };
    const request = { policyOf: () => policy, nowMs: Date.UTC(2027, 0, 1) };
    const refusal = refusalOf(() => verify(sas, request));
    expect(refusal).toBe(expected === undefined ? 'AuthenticationFailed' : undefined);
  });

  it('is refused from another address and over another protocol', () => {
    const sas = tableSas({ ipRange: { start: '10.0.0.1', end: '10.0.0.9' }, protocol: 'https' });
    expect(() => verify(sas, { ip: '::ffff:10.0.0.9' })).not.toThrow();
    for (const ip of ['10.0.0.10', '::1', 'x']) {
      expect(() => verify(sas, { ip })).toThrow(
        expect.objectContaining({ code: 'AuthorizationSourceIPMismatch' }),
      );
    }
    expect(() => verify(sas, { isHttps: false })).toThrow(
      expect.objectContaining({ code: 'AuthorizationProtocolMismatch' }),
    );
  });
});

it('a range without an end has none', () => {
  expect(isInRange({}, ['', ''])).toBe(true);
  expect(isInRange({ startPartition: 'b' }, ['a', ''])).toBe(false);
  expect(isInRange({ startPartition: 'b' }, ['z', ''])).toBe(true);
});

it.each<TableOperation>(['getTableAcl', 'setTableAcl'])(
  'no signature is enough for %s',
  (operation) => {
    const grant: Grant = { kind: 'account', permissions: 'rwdlacu', resourceTypes: 'sco' };
    expect(() => checkGrant(grant, { operation, table: 'T' })).toThrow(
      expect.objectContaining({ code: 'AuthorizationFailure' }),
    );
  },
);
