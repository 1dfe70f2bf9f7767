import fc from 'fast-check';
import { type EntityState, fieldsSince, fingerprintOf } from '../state/entity-state.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import type { FieldValue, NullableFieldValue } from '../values/field-value.ts';

const REGIONS = ['east', 'west', 'north'];
const FIELDS = ['email', 'phone', 'name'];

export const arbitraryStamp: fc.Arbitrary<Stamp> = fc
  .record({
    timeMs: fc.integer({ min: 0, max: 50 }),
    counter: fc.integer({ min: 0, max: 3 }),
    region: fc.constantFrom(...REGIONS),
    writer: fc.constantFrom('w1', 'w2'),
  })
  .map(formatStamp);

/** Any value of any Edm type. */
export const arbitraryFieldValue: fc.Arbitrary<NullableFieldValue> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'binary' }).map((value): FieldValue => ({ type: 'String', value })),
  fc.boolean().map((value): FieldValue => ({ type: 'Boolean', value })),
  fc.integer().map((value): FieldValue => ({ type: 'Int32', value })),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value): FieldValue => ({ type: 'Int64', value })),
  fc.double().map((value): FieldValue => ({ type: 'Double', value })),
  fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
    .map((date): FieldValue => ({ type: 'DateTime', value: date.toISOString() })),
  fc.uuid().map((value): FieldValue => ({ type: 'Guid', value })),
  fc.uint8Array().map((value): FieldValue => ({ type: 'Binary', value })),
);

/** A stamp is unique to a write, so one stamp stands for one value wherever it is seen. */
function valueOf(field: string, stamp: Stamp): NullableFieldValue {
  return stamp.includes('-0003-') ? null : { type: 'String', value: `${field}@${stamp}` };
}

export const arbitraryEntityState: fc.Arbitrary<EntityState> = fc
  .record({
    fields: fc.dictionary(fc.constantFrom(...FIELDS), arbitraryStamp),
    alive: fc.option(arbitraryStamp, { nil: undefined }),
    deleted: fc.option(arbitraryStamp, { nil: undefined }),
    base: fc.option(arbitraryStamp, { nil: undefined }),
    hasRequest: fc.boolean(),
    vector: fc.uniqueArray(arbitraryStamp, {
      minLength: 1,
      maxLength: 3,
      selector: (stamp) => stamp.split('-')[2],
    }),
  })
  .map(({ fields, alive, deleted, base, hasRequest, vector }) => ({
    fields: fieldsSince(
      base,
      new Map(
        Object.entries(fields).map(([name, stamp]) => [
          name,
          { value: valueOf(name, stamp), stamp },
        ]),
      ),
    ),
    alive,
    deleted,
    ...(base === undefined ? {} : { base }),
    // One transaction is asked for by one request, and an older build does not say which.
    ...(hasRequest ? { request: fingerprintOf([...vector].sort().slice(-1)) } : {}),
    vector: new Map(vector.map((stamp) => [stamp.split('-')[2] ?? '', stamp])),
  }));
