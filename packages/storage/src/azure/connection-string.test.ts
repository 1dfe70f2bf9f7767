import { describe, expect, test } from 'vitest';
import { readConnectionString } from './connection-string.ts';

describe('a connection string', () => {
  test.each([
    [
      'DefaultEndpointsProtocol=https;AccountName=east;AccountKey=a2V5==;EndpointSuffix=core.windows.net',
      'https://east.table.core.windows.net',
    ],
    ['AccountName=east;AccountKey=a2V5==', 'https://east.table.core.windows.net'],
    [
      'AccountName=dev;AccountKey=a2V5==;TableEndpoint=http://127.0.0.1:1/dev;',
      'http://127.0.0.1:1/dev',
    ],
  ])('%s names %s, and keeps the whole key', (text, url) => {
    expect(readConnectionString(text)).toMatchObject({ url, key: 'a2V5==' });
  });

  test('may hold a shared access signature instead of a key', () => {
    const text =
      'TableEndpoint=https://east.table.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D';
    expect(readConnectionString(text)).toMatchObject({
      key: undefined,
      signature: 'sv=1&sig=a%3D',
    });
  });

  test.each([
    '',
    'storage',
    'AccountName=east',
    'AccountKey=a2V5==',
    'AccountName=east;AccountKey=a2V5==;TableEndpoint=nowhere',
  ])('"%s" describes no account', (text) => {
    expect(readConnectionString(text)).toBeUndefined();
  });
});
