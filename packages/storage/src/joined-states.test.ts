import {
  CHANGE_SET_BYTES_MAX,
  type ChangeSet,
  checkTransaction,
  decodeChangeSet,
  defineEntityKind,
  type EntityState,
  edm,
  encodeChangeSet,
  encodeConflict,
  encodeVector,
  fitsBytes,
  formatStamp,
  type NullableFieldValue,
  type Stamp,
  stampRegion,
  type TypedKind,
  writeEntity,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import {
  type ArrivalRules,
  findConflicts,
  judgeChangeSet,
  mergeStates,
  readChangeSets,
  STAMP_POSSIBLE_MS_MAX,
  UNKNOWN_FIELD_BYTES_MAX,
  UNKNOWN_FIELDS_MAX,
  VECTOR_REGIONS_MAX,
} from '@tandem/core/testing';
import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { toPayloadColumns, toRowOperation } from './rows/entity-row.ts';
import { toArchiveProperties } from './tables/table-archive.ts';
import { createTableReplica } from './tables/table-replica.ts';
import { toOutboxRows } from './write-path/commit-change-set.ts';

/** What a version may have as a header, twice in an answer, of the 16 KiB that most servers take. */
const VERSION_LENGTH_MAX = 4_096;

/** As long as names may be, and as many as a region may know. */
const REGIONS = Array.from({ length: VECTOR_REGIONS_MAX }, (_, index) =>
  `r${index}`.padEnd(31, 'x'),
);
const WRITER = 'w'.repeat(16);

const texts = (count: number, length: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`text${index}`.padEnd(length, 'x'), edm.string()]),
  );

const KINDS: readonly TypedKind[] = [
  defineEntityKind({ name: 'Notes', schema: Type.Object(texts(14, 8)) }),
  defineEntityKind({ name: 'Widest', schema: Type.Object(texts(240, 40)) }),
  defineEntityKind({
    name: 'Mixed',
    schema: Type.Object({
      blob: edm.binary(),
      text: edm.string(),
      short: edm.string({ maxLength: 20 }),
      count: edm.int64(),
      ratio: edm.double(),
      owner: edm.guid(),
      at: edm.dateTime(),
    }),
  }),
];

const SCALARS: Readonly<Record<string, NullableFieldValue>> = {
  Int64: { type: 'Int64', value: -(2n ** 63n) },
  Double: { type: 'Double', value: -1.234567890123456e-300 },
  Guid: { type: 'Guid', value: '01234567-89ab-cdef-0123-456789abcdef' },
  DateTime: { type: 'DateTime', value: '2026-01-01T00:00:00.1234567Z' },
};

/** The longest text of the unit that fits, and that a column holds. */
function longest(unit: string, bytesMax: number): NullableFieldValue {
  const bytes = Buffer.byteLength(JSON.stringify(unit)) - 2;
  const count = Math.min(Math.floor((bytesMax - 16) / bytes), Math.floor(32_768 / unit.length));
  return { type: 'String', value: unit.repeat(Math.max(0, count)) };
}

const arbitraryStamp = (region: string) =>
  fc
    .record({
      timeMs: fc.oneof(fc.nat(50), fc.constant(STAMP_POSSIBLE_MS_MAX - 1)),
      counter: fc.nat(3),
    })
    .map((reading) => formatStamp({ ...reading, region, writer: WRITER }));

interface Draft {
  readonly stamps: readonly Stamp[];
  readonly names: readonly string[];
  readonly unknown: readonly string[];
  readonly unit: string;
  readonly places: readonly number[];
}

const arbitraryDraft = (kind: TypedKind): fc.Arbitrary<Draft> =>
  fc.record({
    stamps: fc
      .subarray(REGIONS, { minLength: 1 })
      .chain((regions) => fc.tuple(...regions.map(arbitraryStamp))),
    names: fc.oneof(fc.subarray([...kind.edmTypes.keys()]), fc.constant([...kind.edmTypes.keys()])),
    unknown: fc.uniqueArray(
      fc.nat(60).map((index) => `unknown${index}`.padEnd(128, 'u')),
      { maxLength: kind.unknownFieldsMax },
    ),
    unit: fc.constantFrom('x', '"', '\u0001', 'ü', '\u{1f600}'),
    places: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 300 }),
  });

/** A state as an honest region could have sent it, as large as its kind allows. */
function toState(kind: TypedKind, { stamps, names, unknown, unit, places }: Draft): EntityState {
  const stampAt = (place: number): Stamp => {
    const at = places[place % places.length] ?? 0;
    return stamps[at % stamps.length] ?? stamps[0]!;
  };
  const valueOf = (name: string): NullableFieldValue => {
    const type = kind.edmTypes.get(name);
    const bytesMax = kind.budgets.get(name)?.bytesMax ?? UNKNOWN_FIELD_BYTES_MAX;
    if (type === 'Binary') {
      const length = Math.min(65_536, Math.floor(((bytesMax - 16) / 4) * 3) - 2);
      return { type: 'Binary', value: new Uint8Array(length).fill(255) };
    }
    return SCALARS[type ?? ''] ?? longest(unit, bytesMax);
  };
  return {
    fields: new Map(
      [...names, ...unknown].map((name, place) => [
        name,
        { value: valueOf(name), stamp: stampAt(place) },
      ]),
    ),
    alive: stampAt(0),
    deleted: places.length % 2 === 0 ? stampAt(1) : undefined,
    vector: new Map(stamps.map((stamp) => [stampRegion(stamp), stamp])),
  };
}

const ID = '\u0001'.repeat(170);

function rulesFor(kind: TypedKind): ArrivalRules {
  const replica = createTableReplica({ store: createMemoryTableStore(), kind, bucketCount: 1 });
  return { regions: new Set(REGIONS), replicas: new Map([[kind.name, replica]]) };
}

function setOf(kind: TypedKind, state: EntityState): ChangeSet {
  const [stamp] = [...state.vector.values()].toSorted().toReversed();
  const change = { entityId: ID, operation: 'replace', state } as const;
  return { entityKind: kind.name, bucket: '00', stamp: stamp!, changes: [change] };
}

function refusalOf(set: ChangeSet, rules: ArrivalRules): string | undefined {
  return judgeChangeSet({ key: '', set, encoded: new Uint8Array() }, rules).refusal?.message;
}

/** Everything that becomes of a state: a write on it, its message, its rows, its headers. */
function expectFit(kind: TypedKind, rules: ArrivalRules, state: EntityState): void {
  const last = [...state.vector.values()].toSorted().at(-1)!;
  const stamp = formatStamp({
    timeMs: parseInt(last.slice(0, 12), 16) + 1,
    counter: 0,
    region: REGIONS[0]!,
    writer: WRITER,
  });
  const written = writeEntity(
    { kind: 'patch', values: new Map() },
    { stored: state, stamp, policy: 'field' },
  );
  const set = setOf(kind, written);
  const encoded = encodeChangeSet(set);
  expect(encoded.length).toBeLessThanOrEqual(CHANGE_SET_BYTES_MAX);
  expect(readChangeSets(encoded)).toMatchObject([{ kind: 'set' }]);
  expect(decodeChangeSet(encoded).stamp).toBe(stamp);
  expect(refusalOf(set, rules)).toBeUndefined();
  expect(encodeVector(written.vector).length).toBeLessThanOrEqual(VERSION_LENGTH_MAX);

  const entry = { set, encoded, owed: REGIONS, committedAfterMs: 0, parkedFor: undefined };
  const referenceId = `${kind.name}-00-20260101/${stamp}/${ID}`;
  const row = { state: written, referenceId };
  const insert = { kind: 'insert' as const };
  checkTransaction({
    table: kind.name,
    partitionKey: '00',
    operations: [
      toRowOperation(kind, { entityId: ID, row, stored: undefined }),
      ...toOutboxRows(entry),
    ],
  });
  checkTransaction({
    table: 'Archive',
    partitionKey: `${kind.name}-00-20260101`,
    operations: [{ ...insert, rowKey: stamp, properties: toArchiveProperties(entry) }],
  });
}

describe('I17: what one region accepts every region accepts, and the join of it too', () => {
  test.each(KINDS.map((kind) => [kind.name, kind] as const))('%s', (_, kind) => {
    const rules = rulesFor(kind);
    const replica = rules.replicas.get(kind.name)!;
    const state = arbitraryDraft(kind).map((draft) => toState(kind, draft));
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        for (const one of [a, b, c]) expect(refusalOf(setOf(kind, one), rules)).toBeUndefined();
        const join = (x: EntityState, y: EntityState): EntityState =>
          replica.fit(mergeStates(x, y));
        const all = join(join(a, b), c);
        for (const one of [join(a, b), all]) {
          expect(replica.faultOf(ID, one)).toBeUndefined();
          expectFit(kind, rules, one);
        }
        expect(join(a, join(c, b)).fields).toEqual(all.fields);
        // What the two had not seen of each other is journalled, whatever it is.
        const entity = { entityKind: kind.name, entityId: ID };
        for (const conflict of findConflicts(a, { ...entity, state: b })) {
          const properties = new Map(toPayloadColumns(encodeConflict(conflict)));
          checkTransaction({
            table: 'Conflicts',
            partitionKey: `${kind.name}-00`,
            operations: [{ kind: 'insert', rowKey: 'key', properties }],
          });
        }
      }),
      { numRuns: 25 },
    );
  });

  test('A12: a field has its share of a change set, and what is written a little less', () => {
    for (const kind of KINDS) {
      const sum = [...kind.budgets.values()].reduce((total, { bytesMax }) => total + bytesMax, 0);
      expect(sum + UNKNOWN_FIELDS_MAX * UNKNOWN_FIELD_BYTES_MAX).toBeLessThan(CHANGE_SET_BYTES_MAX);
    }
    const budget = KINDS[0]!.budgets.values().next().value!;
    expect(budget.writtenBytesMax).toBeLessThan(budget.bytesMax);
    expect(fitsBytes({ type: 'String', value: 'x'.repeat(budget.bytesMax) }, budget.bytesMax)).toBe(
      false,
    );
  });
});
