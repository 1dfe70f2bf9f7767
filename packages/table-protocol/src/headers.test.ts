import { describe, expect, it } from 'vitest';
import { checkEncoding, checkUnconditional, parseIfMatch, verbOf } from './headers.ts';
import { refusalOf } from './testing/refusal.ts';

describe('the condition of a write', () => {
  it('is none, any or a weak tag', () => {
    expect(parseIfMatch('PUT', {})).toEqual({ kind: 'none' });
    expect(parseIfMatch('PUT', { 'if-match': '*' })).toEqual({ kind: 'any' });
    const several = 'W/"datetime\'2020-10-27T18%3A36%3A29.61Z\'~abc"';
    expect(parseIfMatch('PATCH', { 'if-match': several })).toEqual({ kind: 'tag', tag: several });
    for (const header of ['', '"strong"', 'W/', 'W/"a"b"', 'x', 'W/"a", W/"b"']) {
      expect(() => parseIfMatch('PUT', { 'if-match': header })).toThrow(
        expect.objectContaining({
          code: 'InvalidInput',
          status: 400,
          message: `The etag value '${header}' specified in one of the request headers is not valid. Please make sure only one etag value is specified and is valid.`,
        }),
      );
    }
  });

  it.each([
    ['PUT', 'If-None-Match HTTP header cannot be specified for PUT operations.'],
    ['PATCH', 'If-None-Match HTTP header cannot be specified for PUT operations.'],
    ['MERGE', 'If-None-Match HTTP header cannot be specified for PUT operations.'],
    ['DELETE', 'If-None-Match HTTP header cannot be specified for DELETE operations.'],
  ])('that the row is absent is refused of a %s, in the words of the service', (method, said) => {
    for (const tag of ['*', 'W/"a"']) {
      expect(() => parseIfMatch(method, { 'if-none-match': tag })).toThrow(
        expect.objectContaining({ code: 'InvalidInput', message: said }),
      );
    }
    expect(() => parseIfMatch(method, { 'if-none-match': '*', 'if-match': '*' })).toThrow(
      /^Both If-Match and If-None-Match HTTP headers cannot be specified at the same time/,
    );
  });

  it('of an insertion may say what it asks anyway, and nothing else', () => {
    expect(parseIfMatch('POST', { 'if-none-match': '*' })).toEqual({ kind: 'none' });
    expect(refusalOf(() => parseIfMatch('POST', { 'if-match': '*' }))).toBe('InvalidInput');
  });

  it('cannot be of what has no versions', () => {
    expect(() => checkUnconditional({ accept: '*/*' })).not.toThrow();
    for (const name of ['if-match', 'if-none-match']) {
      expect(() => checkUnconditional({ [name]: '*' })).toThrow(/not have etag properties/);
    }
  });
});

describe('a verb', () => {
  it('is the one that a POST names', () => {
    expect(verbOf('DELETE', {})).toBe('DELETE');
    for (const verb of ['PUT', 'PATCH', 'MERGE', 'DELETE']) {
      expect(verbOf('POST', { 'x-http-method': verb })).toBe(verb);
    }
  });

  it.each([
    ['PUT', 'MERGE', 'XMethodNotUsingPost'],
    ['GET', 'DELETE', 'XMethodNotUsingPost'],
    ['POST', 'GET', 'XMethodIncorrectValue'],
    ['POST', '', 'XMethodIncorrectValue'],
    ['POST', 'merge', 'XMethodIncorrectValue'],
  ])('%s that names %s is %s', (method, named, code) => {
    expect(refusalOf(() => verbOf(method, { 'x-http-method': named }))).toBe(code);
  });
});

it('a body that is compressed is refused by name', () => {
  for (const encoding of [undefined, '', 'identity', ' Identity ']) {
    expect(() => checkEncoding({ 'content-encoding': encoding })).not.toThrow();
  }
  for (const encoding of ['gzip', 'br', 'identity, gzip']) {
    expect(() => checkEncoding({ 'content-encoding': encoding })).toThrow(
      expect.objectContaining({
        code: 'UnsupportedHeader',
        message: expect.stringContaining('Content-Encoding') as string,
      }),
    );
  }
});
