import fc, { type Arbitrary } from 'fast-check';
import type { Schema } from '../../document/document.ts';

/** Of every type that JSON has, and none that an object of the document is. */
const OF_ANOTHER_TYPE = [null, true, 0, -1.5, '', 'text', [], [[]], {}, [null]];
const TOO_LONG = 5_000;

/** Turns a value that conforms into one that probably does not; the caller checks. */
export function brokenValue(value: unknown, schema: Schema): Arbitrary<unknown> {
  const whole = fc.constantFrom<unknown>(...OF_ANOTHER_TYPE);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return whole;
  const names = Object.keys(value);
  const { required = [], properties = {} } = schema;
  const without = required.map((name) => omit(value, name));
  const more = ['extra', '__proto__', 'constructor', 'customerid', ''].map((name) => {
    return withMember(value, name, 'x');
  });
  const others = names.flatMap((name) =>
    [[], {}, true, 12, 'x'.repeat(TOO_LONG), '\u0000', '\ud800'].map((other) =>
      withMember(value, name, other),
    ),
  );
  const emptied = Object.keys(properties).map((name) => withMember(value, name, ''));
  return fc.oneof(whole, fc.constantFrom<unknown>(...without, ...more, ...others, ...emptied));
}

function omit(value: object, name: string): object {
  return Object.fromEntries(Object.entries(value).filter(([own]) => own !== name));
}

/** Also under the name `__proto__`, as `JSON.parse` makes it. */
function withMember(value: object, name: string, member: unknown): object {
  return Object.fromEntries([...Object.entries(value), [name, member]]);
}

/** Texts that a parameter of this schema must not be; empty where any text will do. */
export function brokenParameters(schema: Schema): string[] {
  const { type, minimum, maximum, maxLength, pattern } = schema;
  if (type === 'integer') {
    const outside = [
      minimum === undefined ? [] : minimum - 1,
      maximum === undefined ? [] : maximum + 1,
    ];
    return ['abc', '1.5', '0x', '1e999', ...outside.flat().map(String)];
  }
  const candidates = ['x', 'ab cd', 'x'.repeat(60), "' or 1=1", '../../x', 'ſ', '%'];
  if (maxLength !== undefined) candidates.push('x'.repeat(maxLength + 1));
  return candidates.filter(
    (text) =>
      (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) ||
      (maxLength !== undefined && text.length > maxLength),
  );
}
