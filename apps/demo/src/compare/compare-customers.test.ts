import { describe, expect, it } from 'vitest';
import type { CustomerFields } from '../customers/make-customers.ts';
import {
  combineComparisons,
  compareCustomers,
  isUnchanged,
  type WrittenCustomers,
} from './compare-customers.ts';

const ADA: CustomerFields = {
  email: 'ada@example.com',
  firstName: 'Ada',
  lastName: null,
  phoneNumber: null,
};

function written(...ids: readonly string[]): WrittenCustomers {
  return { acknowledged: new Map(ids.map((id) => [id, ADA])), unanswered: new Set() };
}

describe('comparing what was written with what was read', () => {
  it('finds nothing when all is there as it was written', () => {
    const comparison = compareCustomers(written('a', 'b'), written('b', 'a').acknowledged);
    expect(comparison.equalCount).toBe(2);
    expect(isUnchanged(comparison)).toBe(true);
  });

  it('tells missing, different and extra customers apart', () => {
    const found = new Map([
      ['same', ADA],
      ['changed', { ...ADA, firstName: 'ada', phoneNumber: '' }],
      ['stranger', ADA],
    ]);
    const comparison = compareCustomers(written('same', 'changed', 'gone'), found);
    expect(comparison).toEqual({
      equalCount: 1,
      missing: new Set(['gone']),
      different: new Map([['changed', ['firstName', 'phoneNumber']]]),
      extra: new Set(['stranger']),
    });
    expect(isUnchanged(comparison)).toBe(false);
  });

  it.each(['email', 'firstName', 'lastName', 'phoneNumber'] as const)(
    'sees a changed %s',
    (field) => {
      const found = new Map([['a', { ...ADA, [field]: 'other' }]]);
      expect(compareCustomers(written('a'), found).different).toEqual(new Map([['a', [field]]]));
    },
  );

  it('takes what was sent without an answer for neither missing nor extra', () => {
    const sent = { ...written('a'), unanswered: new Set(['maybe', 'maybe-not']) };
    const found = written('a', 'maybe').acknowledged;
    expect(isUnchanged(compareCustomers(sent, found))).toBe(true);
  });

  it('counts a customer as equal only where it is equal in every region', () => {
    const all = written('a', 'b', 'c');
    const east = new Map([
      ['a', ADA],
      ['b', ADA],
    ]);
    const west = new Map([
      ['a', ADA],
      ['b', { ...ADA, email: 'x@y' }],
      ['c', { ...ADA, email: 'x@y' }],
    ]);
    const combined = combineComparisons(
      all,
      [east, west].map((found) => compareCustomers(all, found)),
    );
    expect(combined).toEqual({
      equalCount: 1,
      missing: new Set(['c']),
      different: new Map([['b', ['email']]]),
      extra: new Set(),
    });
  });
});
