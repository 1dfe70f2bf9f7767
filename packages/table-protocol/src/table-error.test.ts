import { expect, test } from 'vitest';
import { errorJson, errorXml, TableError } from './table-error.ts';

const FACTS = { requestId: 'id', time: '2026-11-30T22:00:00.0000000Z' };

test('an error stands as the service writes it, with the position of its operation', () => {
  const error = new TableError('EntityAlreadyExists').ofOperation(3);
  expect(error).toMatchObject({ status: 409, operation: 3 });
  expect(JSON.parse(errorJson(error, FACTS))).toEqual({
    'odata.error': {
      code: 'EntityAlreadyExists',
      message: {
        lang: 'en-US',
        value:
          '3:The specified entity already exists.\nRequestId:id\nTime:2026-11-30T22:00:00.0000000Z',
      },
    },
  });
});

test('an error in XML escapes what it repeats', () => {
  const xml = errorXml(new TableError('InvalidUri', '<&>\u0000\u0008\uFFFE\uD800\u{1F600}'), FACTS);
  // XML has no way to write the first four.
  expect(xml).toContain('\uFFFD\uFFFD\uFFFD\uFFFD\u{1F600}');
  expect(xml).toContain('<code>InvalidUri</code>');
  expect(xml).toContain('&lt;&amp;&gt;');
});
