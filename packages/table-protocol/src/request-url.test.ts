import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entityAddress } from './edm-json.ts';
import { checkTableName, parseTableUrl, type Resource } from './request-url.ts';

const PATH: readonly [string, Resource][] = [
  ['/acc', { kind: 'service' }],
  ['/acc/', { kind: 'service' }],
  ['/acc/?restype=service&comp=properties', { kind: 'service' }],
  ['/acc/Tables', { kind: 'tables' }],
  ['/acc/Tables()', { kind: 'tables' }],
  ["/acc/Tables('T1')", { kind: 'table', table: 'T1' }],
  ['/acc/tables(%27T1%27)', { kind: 'table', table: 'T1' }],
  ['/acc/T1', { kind: 'entities', table: 'T1' }],
  ['/acc/T1()', { kind: 'entities', table: 'T1' }],
  ['/acc/T1?$format=application%2Fjson', { kind: 'entities', table: 'T1' }],
  ['/acc/$batch', { kind: 'batch' }],
  ['/acc/%24batch', { kind: 'batch' }],
  [
    "/acc/T1(PartitionKey='p',RowKey='r')",
    { kind: 'entity', table: 'T1', partitionKey: 'p', rowKey: 'r' },
  ],
  [
    '/acc/T1(PartitionKey=%27p%27,RowKey=%27%27)',
    { kind: 'entity', table: 'T1', partitionKey: 'p', rowKey: '' },
  ],
  [
    "/acc/T1(PartitionKey='p',%20RowKey='r')",
    { kind: 'entity', table: 'T1', partitionKey: 'p', rowKey: 'r' },
  ],
  [
    "/acc/T1(RowKey='r',PartitionKey='p')",
    { kind: 'entity', table: 'T1', partitionKey: 'p', rowKey: 'r' },
  ],
  [
    "/acc/T1(PartitionKey='a''b,RowKey=',RowKey='%25%29')",
    { kind: 'entity', table: 'T1', partitionKey: "a'b,RowKey=", rowKey: '%)' },
  ],
];

describe('an address', () => {
  it.each(PATH)('%s names %o', (target, resource) => {
    expect(parseTableUrl(target)).toMatchObject({ account: 'acc', isSecondary: false, resource });
  });

  it('names the account by its host, or by its path, and the one that may only be read', () => {
    expect(parseTableUrl('/Tables', { account: 'acc' })).toMatchObject({
      account: 'acc',
      resource: { kind: 'tables' },
    });
    expect(parseTableUrl('/acc-secondary/T1()')).toMatchObject({
      account: 'acc',
      isSecondary: true,
      resource: { kind: 'entities', table: 'T1' },
    });
  });

  it('gives each parameter once, decoded', () => {
    const { query } = parseTableUrl(
      "/acc/T?$filter=a%20eq%20'x%26y'&$top=5&NextRowKey=1%214%21YQ--&flag&&a=b+c",
    );
    expect(Object.fromEntries(query)).toEqual({
      $filter: "a eq 'x&y'",
      $top: '5',
      NextRowKey: '1!4!YQ--',
      flag: '',
      a: 'b c',
    });
    expect(() => parseTableUrl('/acc/T?sig=a&sig=b')).toThrow(
      expect.objectContaining({ code: 'AuthenticationFailed' }),
    );
    expect(() => parseTableUrl('/acc/T?$top=1&$top=2')).toThrow(
      expect.objectContaining({ code: 'InvalidQueryParameterValue' }),
    );
  });

  it.each([
    'acc',
    '/acc/%E0%A4%A',
    "/acc/T1(PartitionKey='p')",
    "/acc/T1(PartitionKey='p',RowKey='r'",
    "/acc/T1(PartitionKey='p'',RowKey='r')",
    '/acc/Tables(T1)',
    '/acc/a/b/c',
    '/acc/Tables/a',
    '/acc/?x=%',
    `/acc/${'x'.repeat(70_000)}`,
  ])('%.40s is refused', (target) => {
    expect(() => parseTableUrl(target)).toThrow(expect.objectContaining({ code: 'InvalidUri' }));
  });

  it('beneath a table names nothing, but it is known of which table', () => {
    const { resource } = parseTableUrl('/acc/T1/Tables');
    expect(resource).toEqual({ kind: 'beneath', table: 'T1' });
    expect(() => parseTableUrl("/acc/T1/Tables('T1')")).toThrow(
      expect.objectContaining({
        code: 'InvalidInput',
        message:
          "The number of keys specified in the URI does not match number of key properties for the resource 'acc.T1'.",
      }),
    );
  });

  it('of an entity is read as the keys that it was made of', () => {
    const key = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(key, key, (partitionKey, rowKey) => {
        const target = `/acc/${entityAddress('T1', { partitionKey, rowKey })}`;
        expect(parseTableUrl(target).resource).toEqual({
          kind: 'entity',
          table: 'T1',
          partitionKey,
          rowKey,
        });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the name of a table', () => {
  it.each(['abc', 'A1b', 'x'.repeat(63)])('%s is one', (name) => {
    expect(() => checkTableName(name)).not.toThrow();
  });
  it.each(['ab', '1ab', 'a-b', 'x'.repeat(64), 'Tables', 'tAbles', '', 'ärm'])(
    '%s is none',
    (name) => {
      expect(() => checkTableName(name)).toThrow(
        expect.objectContaining({ code: 'InvalidResourceName' }),
      );
    },
  );
});
