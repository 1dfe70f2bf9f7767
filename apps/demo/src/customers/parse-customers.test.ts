import { describe, expect, it } from 'vitest';
import { parseCustomers } from './read-customer-file.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const ADA = { CustomerId: ID, Email: 'ada@example.com', FirstName: 'Ada' };

function problemOf(items: unknown): string | undefined {
  const parsed = parseCustomers(typeof items === 'string' ? items : JSON.stringify(items));
  return parsed.kind === 'problem' ? parsed.problem : undefined;
}

describe('a file of customers', () => {
  it('may begin with a byte-order mark, have nulls and keys in either spelling', () => {
    const text = `\uFEFF${JSON.stringify([
      { ...ADA, CustomerId: ID.toUpperCase(), LastName: null, PhoneNumber: '1' },
      { customerId: null, email: 'b@example.com', firstName: '', lastName: 'B', phoneNumber: null },
      { Email: 'c@example.com' },
    ])}`;
    expect(parseCustomers(text)).toEqual({
      kind: 'customers',
      customers: [
        {
          customerId: ID,
          fields: {
            email: 'ada@example.com',
            firstName: 'Ada',
            lastName: null,
            phoneNumber: '1',
          },
        },
        {
          customerId: null,
          fields: { email: 'b@example.com', firstName: '', lastName: 'B', phoneNumber: null },
        },
        {
          customerId: null,
          fields: {
            email: 'c@example.com',
            firstName: null,
            lastName: null,
            phoneNumber: null,
          },
        },
      ],
    });
  });

  it.each([
    ['[{"Email":', /^it is not JSON/],
    ['', /^it is not JSON/],
    [{ items: [] }, /^it must be a JSON array of customers$/],
    [[], /^there is no customer in it$/],
  ])('is refused when it is %j', (items, problem) => {
    expect(problemOf(items)).toMatch(problem);
  });

  it.each([
    ['ada@example.com', 'is no object'],
    [null, 'is no object'],
    [[], 'is no object'],
    [{ ...ADA, Age: 36 }, 'has the unknown key "Age": use CustomerId, Email,'],
    [{ ...ADA, email: 'a@example.com' }, 'has email twice, in two spellings'],
    [{ ...ADA, FirstName: 1 }, 'has, as FirstName, neither a string nor null'],
    [{ ...ADA, CustomerId: '17' }, 'has a CustomerId that is no GUID'],
    [{ ...ADA, CustomerId: `{${ID}}` }, 'has a CustomerId that is no GUID'],
    [{ FirstName: 'Ada' }, 'has no Email'],
    [{ Email: null }, 'has no Email'],
    [{ Email: 'ada' }, 'has, as email, what is not of the form'],
    [
      { ...ADA, FirstName: 'x'.repeat(201) },
      'has, as firstName, what is longer than 200 characters',
    ],
    [{ ...ADA, LastName: '\uD800' }, 'has, as lastName, what is not Unicode text'],
  ])('is refused with the index and the rule when an item is %j', (item, rule) => {
    const good = { Email: 'good@example.com' };
    expect(problemOf([good, item])).toContain(`the item at index 1 ${rule}`);
  });

  it('is refused when an id is there twice, in whatever case', () => {
    expect(problemOf([ADA, { Email: 'x@y' }, { ...ADA, CustomerId: ID.toUpperCase() }])).toBe(
      'the item at index 2 has the CustomerId of the item at 0',
    );
  });

  it('never has its values repeated in a problem', () => {
    const secret = 'secret-value';
    for (const item of [{ Email: secret }, { ...ADA, CustomerId: secret }, secret]) {
      expect(problemOf([item])).not.toContain(secret);
    }
  });
});
