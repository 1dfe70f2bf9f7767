import { expect, test } from 'vitest';
import { customerKind } from './index.ts';

test.each([
  ['00b479c9-f61f-451a-86d2-ee8cc047c181', true],
  ['00B479C9-F61F-451A-86D2-EE8CC047C181', false],
  ['../../x', false],
  ['a\u0000', false],
  ['', false],
])('%j as the id of a customer: %s', (text, isId) => {
  expect(customerKind.isEntityId(text)).toBe(isId);
});
