import { describe, expect, it } from 'vitest';
import {
  encodeAcl,
  encodeServiceProperties,
  encodeServiceStats,
  findCorsRule,
  parseAcl,
  parseServiceProperties,
} from './service-xml.ts';

const policy = (id: string, inner = ''): string =>
  `<SignedIdentifier><Id>${id}</Id><AccessPolicy>${inner}</AccessPolicy></SignedIdentifier>`;
const acl = (inner: string): string =>
  `<?xml version="1.0"?><SignedIdentifiers>${inner}</SignedIdentifiers>`;

describe('the policies of a table', () => {
  it('are read, and written so that they are read the same', () => {
    const read = parseAcl(
      acl(
        policy(
          '007',
          '<Start>2026-11-30T00:00:00.0000000Z</Start><Expiry>2026-12-30</Expiry><Permission>raud</Permission>',
        ) + policy('a&amp;b'),
      ),
    );
    expect(read).toEqual([
      {
        id: '007',
        start: '2026-11-30T00:00:00.0000000Z',
        expiry: '2026-12-30',
        permissions: 'raud',
      },
      { id: 'a&b' },
    ]);
    expect(parseAcl(encodeAcl(read))).toEqual(read);
    expect(parseAcl(acl(''))).toEqual([]);
    expect(parseAcl(encodeAcl([]))).toEqual([]);
  });

  it.each([
    ['six', acl(Array.from({ length: 6 }, (_, index) => policy(`${index}`)).join(''))],
    ['two of one id', acl(policy('a') + policy('a'))],
    ['no id', acl(policy(''))],
    ['an endless id', acl(policy('x'.repeat(65)))],
    ['other permissions', acl(policy('a', '<Permission>rx</Permission>'))],
    ['a time that is none', acl(policy('a', '<Expiry>soon</Expiry>'))],
    ['a day that does not exist', acl(policy('a', '<Expiry>2027-02-30T00:00:00Z</Expiry>'))],
    ['a time that no signature could have', acl(policy('a', '<Start>1 Jan 2027</Start>'))],
    ['another root', '<Other/>'],
    ['no XML', 'nonsense'],
    ['an open element', '<SignedIdentifiers>'],
    ['a type of its own', '<!DOCTYPE x [<!ENTITY a "b">]><SignedIdentifiers/>'],
    [
      'deep nesting',
      `<SignedIdentifiers>${'<a>'.repeat(5_000)}${'</a>'.repeat(5_000)}</SignedIdentifiers>`,
    ],
  ])('are refused with %s', (_, xml) => {
    expect(() => parseAcl(xml)).toThrow(expect.objectContaining({ code: 'InvalidXmlDocument' }));
  });
});

const RULE =
  '<CorsRule><AllowedOrigins>https://a, https://b</AllowedOrigins><AllowedMethods>GET,PUT</AllowedMethods><MaxAgeInSeconds>60</MaxAgeInSeconds><ExposedHeaders>x-ms-*</ExposedHeaders><AllowedHeaders>x-ms-meta*,content-type</AllowedHeaders></CorsRule>';
const properties = (inner: string): string =>
  `<StorageServiceProperties>${inner}</StorageServiceProperties>`;

describe('the properties of the service', () => {
  it('are kept as they were set', () => {
    const xml = properties(
      `<Logging><Version>1.0</Version><Read>true</Read></Logging><Cors>${RULE}</Cors>`,
    );
    const read = parseServiceProperties(xml);
    expect(read).toEqual({
      logging: { Version: '1.0', Read: 'true' },
      cors: [
        {
          origins: ['https://a', 'https://b'],
          methods: ['GET', 'PUT'],
          allowedHeaders: ['x-ms-meta*', 'content-type'],
          exposedHeaders: ['x-ms-*'],
          maxAgeSeconds: 60,
        },
      ],
    });
    expect(parseServiceProperties(encodeServiceProperties(read))).toMatchObject(read);
    expect(parseServiceProperties(properties('<Cors/>')).cors).toEqual([]);
    expect(parseServiceProperties(properties('')).cors).toBeUndefined();
  });

  it.each<[string, { readonly exposed?: string; readonly allowed?: string }]>([
    ['a line break in a header', { exposed: 'x-a\nset-cookie: b' }],
    ['a header of no ASCII', { allowed: 'x-ä' }],
    ['more text than all rules may have', { allowed: `x-${'a'.repeat(2_048)}` }],
  ])('are refused with %s', (_, { exposed = '', allowed = '' }) => {
    const rule = `<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods><ExposedHeaders>${exposed}</ExposedHeaders><AllowedHeaders>${allowed}</AllowedHeaders></CorsRule>`;
    const xml = `<StorageServiceProperties><Cors>${rule}</Cors></StorageServiceProperties>`;
    expect(() => parseServiceProperties(xml)).toThrow(
      expect.objectContaining({ code: 'InvalidXmlDocument' }),
    );
  });

  it('are written in the order of the service, whatever order they were set in', () => {
    const retention =
      '<RetentionPolicy><Days>7</Days><Enabled>true</Enabled></RetentionPolicy><Later>1</Later>';
    const read = parseServiceProperties(
      properties(`<Logging>${retention}<Delete>true</Delete><Read>true</Read></Logging>`),
    );
    expect(encodeServiceProperties(read)).toContain(
      '<Logging><Read>true</Read><Delete>true</Delete><RetentionPolicy><Enabled>true</Enabled><Days>7</Days></RetentionPolicy><Later>1</Later></Logging>',
    );
  });

  it.each([
    properties(`<Cors>${RULE.repeat(6)}</Cors>`),
    properties(`<Cors>${RULE.replace('GET,PUT', 'FETCH')}</Cors>`),
    properties(`<Cors>${RULE.replace('60', '-1')}</Cors>`),
    properties(`<Cors><CorsRule/></Cors>`),
  ])('are refused with rules that are none', (xml) => {
    expect(() => parseServiceProperties(xml)).toThrow(
      expect.objectContaining({ code: 'InvalidXmlDocument' }),
    );
  });

  it('let in the pages that a rule names, with its methods and headers', () => {
    const rules = parseServiceProperties(properties(`<Cors>${RULE}</Cors>`)).cors ?? [];
    const asked = {
      origin: 'https://a',
      method: 'GET',
      headers: ['X-Ms-Meta-One', 'content-type'],
    };
    expect(findCorsRule(rules, asked)).toBe(rules[0]);
    expect(findCorsRule(rules, { ...asked, origin: 'https://c' })).toBeUndefined();
    expect(findCorsRule(rules, { ...asked, method: 'DELETE' })).toBeUndefined();
    expect(findCorsRule(rules, { ...asked, headers: ['x-ms-date'] })).toBeUndefined();
  });
});

it('the stats of the service say since when its twin has everything', () => {
  const xml = encodeServiceStats({ status: 'live', lastSyncTime: new Date(0) });
  expect(xml).toContain(
    '<Status>live</Status><LastSyncTime>Thu, 01 Jan 1970 00:00:00 GMT</LastSyncTime>',
  );
  expect(encodeServiceStats({ status: 'unavailable' })).toContain('<LastSyncTime/>');
});
