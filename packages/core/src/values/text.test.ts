import { describe, expect, test } from 'vitest';
import {
  partOfConnectionString,
  readPastedText,
  SERVICE_BUS_PARTS,
  STORAGE_PARTS,
  tidyConnectionString,
  unwrapPastedText,
} from './text.ts';

describe('D2: a text as it was pasted', () => {
  test.each([
    'east',
    'east\n',
    '\r\neast\r\n',
    '\uFEFFeast',
    '  east\t',
    '\u00A0east\u00A0',
    'east\u200B',
    '\u2060\u200Eeast\u202C',
    '"east"',
    "'east'",
    '“east”',
    '"east"\n',
    '\uFEFF" east "',
  ])('%j is read as east', (given) => {
    expect(readPastedText(given)).toEqual({ kind: 'text', text: 'east' });
  });

  test.each([
    ['ea\u200Bst', 'U+200B, at place 3'],
    ['ea\u00ADst', 'U+00AD, at place 3'],
    ['e\u00A0ast', 'U+00A0, at place 2'],
    ['e\u202Fast', 'U+202F, at place 2'],
    ['ea\nst', 'U+000A, at place 3'],
    ['ea\u2028st', 'U+2028, at place 3'],
    ['e\u001bast', 'U+001B, at place 2'],
    ['"ea\u200Bst"', 'U+200B, at place 3'],
    ['e\u{E0061}ast', 'U+E0061, at place 2'],
    ['\uFFFDeast', 'not saved as UTF-8'],
    ['e\0a\0s\0t\0', 'saved as UTF-16'],
  ])('%j is named', (given, problem) => {
    const read = readPastedText(given);
    expect(read).toMatchObject({ kind: 'unreadable', problem: expect.stringContaining(problem) });
    expect(JSON.stringify(read)).not.toContain('east');
  });

  test.each(['', '""', ' \n', '\uFEFF', "''"])('%j is nothing', (given) => {
    expect(readPastedText(given)).toEqual({ kind: 'text', text: '' });
  });

  test.each(['"a" and "b"', '"', '["a"]', "O'Brien'", '{"a":"b"}', 'a b'])('%j stays', (given) => {
    expect(readPastedText(given)).toEqual({ kind: 'text', text: given });
  });

  test('that has a form of its own is only unwrapped', () => {
    const json = '[\r\n\t{"a":"\u200B"}\n]';
    expect(unwrapPastedText(`\uFEFF${json}\n`)).toEqual({ kind: 'text', text: json });
    expect(unwrapPastedText('[\0').kind).toBe('unreadable');
  });
});

describe('D2: a connection string', () => {
  test.each([
    [
      'endpoint=sb://a/; sharedaccesskeyname=n ;SHAREDACCESSKEY=k==;',
      'Endpoint=sb://a/;SharedAccessKeyName=n;SharedAccessKey=k==',
    ],
    ['Endpoint=sb://a/;;SharedAccessKey="k="', 'Endpoint=sb://a/;SharedAccessKey=k='],
    ['Endpoint=sb://a/;Unknown=x', 'Endpoint=sb://a/;Unknown=x'],
  ])('of Service Bus: %s', (given, tidy) => {
    expect(tidyConnectionString(given, SERVICE_BUS_PARTS)).toBe(tidy);
    expect(tidyConnectionString(tidy, SERVICE_BUS_PARTS)).toBe(tidy);
  });

  test.each([
    [
      'tableendpoint=https://a/;sharedaccesssignature=?sv=1&sig=a%3D',
      'TableEndpoint=https://a/;SharedAccessSignature=sv=1&sig=a%3D',
    ],
    [
      'accountname=n;accountkey=k==;defaultendpointsprotocol=https',
      'AccountName=n;AccountKey=k==;DefaultEndpointsProtocol=https',
    ],
    ['usedevelopmentstorage=true', 'UseDevelopmentStorage=true'],
  ])('of a storage account: %s', (given, tidy) => {
    expect(tidyConnectionString(given, STORAGE_PARTS)).toBe(tidy);
  });

  test('gives its parts', () => {
    const text = 'Endpoint=sb://a/;EntityPath=other';
    expect(partOfConnectionString(text, 'EntityPath')).toBe('other');
    expect(partOfConnectionString(text, 'SharedAccessKey')).toBeUndefined();
  });
});
