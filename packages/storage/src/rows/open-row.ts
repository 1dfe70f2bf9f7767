/**
 * A row of an open kind: the client's properties as they are, so that the store filters and selects on them, and
 * as few columns of ours as can be.
 *
 *     _ts   DateTime: the public time of the row; derived, and never read
 *     _t    JSON: everything else that a state holds, see `Packed`
 *     _x0…  Binary: deflated JSON of what cannot be a column, see `Spill`
 *
 * A property cannot be a column where it has a name of ours or of every JavaScript object, where there are more than a row takes, or where the
 * row would be larger than the store takes. See docs/adr/0039.
 */
import { deflateSync, inflateSync } from 'node:zlib';
import {
  type Comparison,
  decodeFieldValue,
  type EncodedFieldValue,
  type EntityState,
  encodeFieldValue,
  type FieldValue,
  fieldsSince,
  isFingerprint,
  isPossibleStamp,
  isPropertyName,
  isSameValue,
  isStamp,
  newestStamp,
  PROPERTIES_MAX,
  type Predicate,
  type Properties,
  publicTimestamp,
  ROW_BYTES_MAX,
  rowBytes,
  type Stamp,
  type StampedField,
  type StoredState,
  stampRegion,
  stampsOf,
  TerminalError,
  toPossibleState,
  valueBytes,
} from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

const Place = Type.Integer({ minimum: 0 });
const PackedSchema = Type.Object({
  /** Holds every stamp of the state once, those of the vector first. Elsewhere a stamp is its place here. */
  s: Type.Array(Type.String({ maxLength: 80 }), { minItems: 1 }),
  /** Counts those of the vector; one by default. */
  v: Type.Optional(Place),
  /** Are the stamps of life, deletion and base. */
  a: Type.Optional(Place),
  d: Type.Optional(Place),
  b: Type.Optional(Place),
  /** Is the stamp of most properties: of all that `f` does not name. */
  m: Type.Optional(Place),
  /** Counts what `m` is of: by it a column is found that was added or taken by hand. */
  c: Type.Optional(Place),
  /** Holds by stamp the names of all other fields, those without a value included. */
  f: Type.Optional(Type.Record(Type.String({ pattern: '^\\d{1,5}$' }), Type.Array(Type.String()))),
  /** Is the reference id; where that ends as most do, without its end. */
  r: Type.Optional(Type.String()),
  w: Type.Optional(Type.String()),
  /** Is the stamp of the prepared set that the row was committed with: docs/adr/0038. */
  p: Type.Optional(Type.String({ maxLength: 80 })),
  /** Is the fingerprint of the request that made the newest transaction: docs/adr/0041. */
  q: Type.Optional(Type.String()),
});
type Packed = Static<typeof PackedSchema>;

/** What `_t` holds where it would be too long: the rest is in the spill. */
const SpiltSchema = Type.Object({ x: Type.Integer({ minimum: 1, maximum: 16 }) });
const SpillSchema = Type.Object({
  p: Type.Array(Type.Tuple([Type.String(), Type.Unknown()])),
  t: Type.Optional(PackedSchema),
});
interface Spill {
  readonly p: readonly (readonly [string, EncodedFieldValue])[];
  readonly t?: Packed;
}

// What a later build adds is read over.
const isPacked = Compile(PackedSchema);
const isSpilt = Compile(SpiltSchema);
const isSpill = Compile(SpillSchema);

const PACKED = '_t';
const TIME = '_ts';
const SPILL = '_x';
const OURS = /^_(?:t|ts|x\d+)$/;
/** All names of buckets are as long. */
const ANY_BUCKET = '00';
/** Two columns every row has. */
const CLIENT_COLUMNS_MAX = PROPERTIES_MAX - 2;
/** Clients and emulators that keep a row in an object lose what every object has. */
const isNoColumn = (name: string): boolean => OURS.test(name) || name in Object.prototype;
const SPILL_COLUMN_BYTES = 64 * 1_024;
/** A column takes 32 Ki UTF-16 units. */
const PACKED_UNITS_MAX = 24 * 1_024;
/** A row in JSON, where a unit of two bytes takes up to six. */
const SPILL_PLAIN_BYTES_MAX = 4 * ROW_BYTES_MAX;

/**
 * Returns the columns of a row. Throws `TABLE_LIMIT_EXCEEDED` where the store would take it in no form, which
 * is where its values are as large as a row may be and cannot be deflated.
 */
export function toOpenProperties(stored: StoredState, entityId: string): Properties {
  const plain = toPlainRow(stored, entityId);
  return plain ?? toSpilledRow(stored, entityId);
}

/** Returns the row without a spill; undefined where it needs one. */
function toPlainRow(stored: StoredState, entityId: string): Properties | undefined {
  const { state } = stored;
  const columns = columnsOf(state);
  if (columns.size > CLIENT_COLUMNS_MAX) return undefined;
  for (const name of columns.keys()) if (isNoColumn(name)) return undefined;
  const packed = JSON.stringify(pack(stored, entityId));
  if (packed.length > PACKED_UNITS_MAX) return undefined;
  const row = withOurs(columns, packed, state);
  return sizeOf(row, entityId) <= ROW_BYTES_MAX ? row : undefined;
}

function columnsOf({ fields }: EntityState): Map<string, FieldValue> {
  const columns = new Map<string, FieldValue>();
  for (const [name, { value }] of fields) if (value !== null) columns.set(name, value);
  return columns;
}

function withOurs(
  columns: ReadonlyMap<string, FieldValue>,
  packed: string,
  { vector }: EntityState,
): Map<string, FieldValue> {
  const newest = newestStamp(vector);
  const row = new Map(columns);
  row.set(PACKED, { type: 'String', value: packed });
  if (newest !== undefined) row.set(TIME, { type: 'DateTime', value: publicTimestamp(newest) });
  return row;
}

function sizeOf(row: Properties, entityId: string): number {
  return rowBytes(ANY_BUCKET, entityId, row);
}

/** Moves properties into the spill until the row fits: ever more at a time, for each try deflates all of it. */
function toSpilledRow(stored: StoredState, entityId: string): Properties {
  const all = columnsOf(stored.state);
  const order = [...all.keys()].sort(
    (a, b) => spillRank(all, b) - spillRank(all, a) || (a < b ? -1 : 1),
  );
  const packed = pack(stored, entityId);
  let count = order.filter(isNoColumn).length;
  count = Math.max(count, all.size - CLIENT_COLUMNS_MAX);
  for (let step = 1; ; step *= 2) {
    const spilled = new Set(order.slice(0, count));
    const { row, plainBytes } = joinRow({ all, spilled, packed }, stored.state);
    const bytes = sizeOf(row, entityId);
    const fits = row.size <= PROPERTIES_MAX && bytes <= ROW_BYTES_MAX;
    if (plainBytes > SPILL_PLAIN_BYTES_MAX) throw tooLarge(plainBytes, row.size, entityId);
    if (fits) return row;
    if (count >= all.size) throw tooLarge(bytes, row.size, entityId);
    count = Math.min(all.size, count + Math.max(step, row.size - PROPERTIES_MAX));
  }
}

/** What can be no column comes first, then what deflates well, large values before small ones. */
function spillRank(all: ReadonlyMap<string, FieldValue>, name: string): number {
  const value = all.get(name);
  if (value === undefined) return 0;
  const bytes = valueBytes(value);
  if (isNoColumn(name)) return bytes + 2 * ROW_BYTES_MAX;
  return value.type === 'String' ? bytes + ROW_BYTES_MAX : bytes;
}

interface RowParts {
  readonly all: ReadonlyMap<string, FieldValue>;
  readonly spilled: ReadonlySet<string>;
  readonly packed: Packed;
}

function joinRow(
  { all, spilled, packed }: RowParts,
  state: EntityState,
): { readonly row: Properties; readonly plainBytes: number } {
  const columns = new Map([...all].filter(([name]) => !spilled.has(name)));
  const text = JSON.stringify(packed);
  const isLong = text.length > PACKED_UNITS_MAX;
  const spill: Spill = {
    p: [...spilled].map((name) => [name, encodeFieldValue(all.get(name) ?? null)]),
    ...(isLong ? { t: packed } : {}),
  };
  const plain = Buffer.from(JSON.stringify(spill));
  const deflated = deflateSync(plain);
  const x = Math.ceil(deflated.length / SPILL_COLUMN_BYTES);
  const row = withOurs(columns, JSON.stringify(isLong ? { x } : { ...packed, x }), state);
  for (let place = 0; place < x; place += 1) {
    const start = place * SPILL_COLUMN_BYTES;
    const value = deflated.subarray(start, start + SPILL_COLUMN_BYTES);
    row.set(`${SPILL}${place}`, { type: 'Binary', value: new Uint8Array(value) });
  }
  return { row, plainBytes: plain.length };
}

function tooLarge(bytes: number, columns: number, entityId: string): TerminalError {
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `Row ${JSON.stringify(entityId)} takes ${bytes} bytes in ${columns} columns with those of Tandem, deflated ` +
      `where that helps; the limits are ${ROW_BYTES_MAX} and ${PROPERTIES_MAX}. Make its values smaller.`,
    { details: { entityId, bytes, limit: ROW_BYTES_MAX } },
  );
}

function pack({ state, referenceId, prepared }: StoredState, entityId: string): Packed {
  const stamps = [...new Set(stampsOf(state))];
  const places = new Map(stamps.map((stamp, index) => [stamp, index]));
  const placeOf = (stamp: Stamp | undefined): number | undefined =>
    stamp === undefined ? undefined : places.get(stamp);
  const byStamp = new Map<Stamp, { readonly valued: string[]; readonly nulls: string[] }>();
  for (const [name, { value, stamp }] of state.fields) {
    const own = byStamp.get(stamp) ?? { valued: [], nulls: [] };
    byStamp.set(stamp, own);
    (value === null ? own.nulls : own.valued).push(name);
  }
  let most: Stamp | undefined;
  const countOf = (stamp: Stamp | undefined): number =>
    (stamp === undefined ? undefined : byStamp.get(stamp)?.valued.length) ?? 0;
  for (const stamp of byStamp.keys()) {
    const more = countOf(stamp) - countOf(most);
    if (more > 0 || (more === 0 && countOf(stamp) > 0 && stamp > (most ?? ''))) most = stamp;
  }
  const named: Record<string, string[]> = {};
  for (const stamp of [...byStamp.keys()].sort()) {
    const { valued, nulls } = byStamp.get(stamp)!;
    const names = stamp === most ? nulls : [...valued, ...nulls];
    if (names.length > 0) named[String(places.get(stamp))] = names.sort();
  }
  const optional = {
    v: state.vector.size === 1 ? undefined : state.vector.size,
    a: placeOf(state.alive),
    d: placeOf(state.deleted),
    b: placeOf(state.base),
    m: placeOf(most),
    c: most === undefined ? undefined : countOf(most),
    f: Object.keys(named).length === 0 ? undefined : named,
    ...packReference(referenceId, state, entityId),
    p: prepared,
    q: state.request,
  };
  // JSON leaves out what is undefined.
  return { s: stamps, ...optional } as Packed;
}

function packReference(
  referenceId: string | undefined,
  { vector }: EntityState,
  entityId: string,
): { readonly r?: string; readonly w?: string } {
  if (referenceId === undefined) return {};
  const end = `/${newestStamp(vector)}/${entityId}`;
  return referenceId.endsWith(end) ? { r: referenceId.slice(0, -end.length) } : { w: referenceId };
}

/**
 * Returns the columns that differ between two states of a row; undefined when one of them is gone or has to
 * be, or lies in a spill, for only the whole row says so.
 */
export function changedOpenColumns(
  before: StoredState,
  after: Properties,
  entityId: string,
): ReadonlySet<string> | undefined {
  const rowBefore = after.has(`${SPILL}0`) ? undefined : toPlainRow(before, entityId);
  if (rowBefore === undefined) return undefined;
  for (const name of rowBefore.keys()) if (!after.has(name)) return undefined;
  const changed = new Set([PACKED, TIME]);
  for (const [name, value] of after) {
    if (!isSameValue(rowBefore.get(name) ?? null, value)) changed.add(name);
  }
  return changed;
}

/**
 * Is of every row with a spill, which has to come whatever a filter says of columns. What is deflated begins with 0x78,
 * so it holds at every store.
 */
export const IS_SPILT: Predicate = {
  kind: 'compare',
  name: `${SPILL}0`,
  operator: 'ge',
  value: { type: 'Binary', value: new Uint8Array(1) },
};

/** A row that took an impossible stamp, of after the year 6000, has it in this column, and shows an earlier one. */
const AFTER_ALL: Comparison = {
  kind: 'compare',
  name: TIME,
  operator: 'ge',
  value: { type: 'DateTime', value: '6000-01-01T00:00:00Z' },
};

/**
 * Returns what holds in the columns of every row without a spill for which a comparison with a property holds; undefined
 * where no column tells.
 */
export function columnsOfComparison(comparison: Comparison): Predicate | undefined {
  const { name, operator } = comparison;
  // The emulator compares bytes as the text that they have in base64, in another order.
  if (comparison.value.type === 'Binary') return undefined;
  if (name !== 'Timestamp') return isNoColumn(name) ? undefined : comparison;
  switch (operator) {
    case 'gt':
    case 'ge':
    case 'eq':
      return { ...comparison, name: TIME, operator: 'ge' };
    case 'lt':
    case 'le':
      return { kind: 'or', parts: [{ ...comparison, name: TIME, operator: 'le' }, AFTER_ALL] };
    case 'ne':
    default:
      return undefined;
  }
}

/** Returns the columns that tell the properties named and all of ours, of a row without a spill. */
export function columnsToRead(names: Iterable<string>): ReadonlySet<string> {
  return new Set([
    PACKED,
    ...[...names].filter((name) => isPropertyName(name) && !isNoColumn(name)),
  ]);
}

/** Tells whether a row, or what was read of it, lies in a spill too. */
export function hasSpill(properties: Properties): boolean {
  const packed = properties.get(PACKED);
  return packed?.type === 'String' && /"x":\d+\}$/.test(packed.value);
}

/**
 * Returns what the row says, without the impossible stamps that it may have taken. Throws `ROW_MALFORMED`, naming the
 * column and never a value, for a row that this code did not write. Where `isPart`, only some columns of a row without a
 * spill were read, so those that somebody took away by hand are not missed.
 */
export function fromOpenProperties(
  properties: Properties,
  entityId: string,
  isPart = false,
): StoredState {
  const text = properties.get(PACKED);
  const json = text?.type === 'String' ? parseJson(text.value, PACKED) : undefined;
  const spill = isSpilt.Check(json) ? readSpill(properties, json.x) : undefined;
  const packed = spill?.t ?? json;
  if (!isPacked.Check(packed)) throw malformed(PACKED);
  const { s: stamps } = packed;
  if (!stamps.every(isStamp)) throw malformed(PACKED);
  const stampAt = (place: number): Stamp => {
    const stamp = stamps[place];
    if (stamp === undefined) throw malformed(PACKED);
    return stamp;
  };
  const optionalAt = (place: number | undefined): Stamp | undefined =>
    place === undefined ? undefined : stampAt(place);
  const vector = new Map<string, Stamp>();
  const size = packed.v ?? 1;
  for (let place = 0; place < size; place += 1)
    vector.set(stampRegion(stampAt(place)), stampAt(place));
  if (size === 0 || vector.size !== size) throw malformed(PACKED);
  const base = optionalAt(packed.b);
  const { q: request } = packed;
  if (request !== undefined && !isFingerprint(request)) throw malformed(PACKED);
  const state: EntityState = {
    fields: fieldsSince(base, readFields(packed, valuesOf(properties, spill), { stampAt, isPart })),
    alive: optionalAt(packed.a),
    deleted: optionalAt(packed.d),
    ...(base === undefined ? {} : { base }),
    ...(request === undefined ? {} : { request }),
    vector,
  };
  const referenceId =
    packed.r === undefined ? packed.w : `${packed.r}/${newestStamp(vector)}/${entityId}`;
  const isPossible = stamps.every(isPossibleStamp);
  const stored = { state: isPossible ? state : toPossibleState(state), referenceId };
  if (packed.p === undefined) return stored;
  if (!isStamp(packed.p)) throw malformed(PACKED);
  return { ...stored, prepared: packed.p };
}

function readFields(
  { f: named = {}, m: most, c: count = 0 }: Packed,
  values: ReadonlyMap<string, FieldValue>,
  { stampAt, isPart }: { readonly stampAt: (place: number) => Stamp; readonly isPart: boolean },
): Map<string, StampedField> {
  const fields = new Map<string, StampedField>();
  for (const [place, names] of Object.entries(named)) {
    const stamp = stampAt(Number(place));
    for (const name of names) {
      if (fields.has(name) || !isPropertyName(name)) throw malformed(PACKED);
      fields.set(name, { value: values.get(name) ?? null, stamp });
    }
  }
  let left = count;
  for (const [name, value] of values) {
    if (fields.has(name)) continue;
    if (most === undefined || left === 0) throw handMade('more');
    fields.set(name, { value, stamp: stampAt(most) });
    left -= 1;
  }
  if (left > 0 && !isPart) throw handMade('fewer');
  return fields;
}

/** Returns the client's properties, those in columns and those in the spill. */
function valuesOf(
  properties: Properties,
  spill: Spill | undefined,
): ReadonlyMap<string, FieldValue> {
  const values = new Map<string, FieldValue>();
  for (const [name, value] of properties) if (!OURS.test(name)) values.set(name, value);
  for (const [name, encoded] of spill?.p ?? []) {
    const value = decodeFieldValue(encoded);
    if (value === undefined || value === null || values.has(name) || !isPropertyName(name)) {
      throw malformed(`${SPILL}0`);
    }
    values.set(name, value);
  }
  return values;
}

function readSpill(properties: Properties, count: number): Spill {
  const parts: Uint8Array[] = [];
  for (let place = 0; place < count; place += 1) {
    const column = properties.get(`${SPILL}${place}`);
    if (column?.type !== 'Binary') throw malformed(`${SPILL}${place}`);
    parts.push(column.value);
  }
  const json = parseJson(inflate(Buffer.concat(parts)), `${SPILL}0`);
  if (!isSpill.Check(json)) throw malformed(`${SPILL}0`);
  return json as Spill;
}

function inflate(bytes: Uint8Array): string {
  try {
    return inflateSync(bytes, { maxOutputLength: SPILL_PLAIN_BYTES_MAX }).toString('utf8');
  } catch (cause) {
    throw malformed(`${SPILL}0`, cause);
  }
}

function parseJson(text: string, column: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(column, cause);
  }
}

function handMade(what: 'more' | 'fewer'): TerminalError {
  return new TerminalError(
    'ROW_MALFORMED',
    `The row has ${what} columns than column ${PACKED} counts: somebody added or took one by hand.`,
  );
}

function malformed(column: string, cause?: unknown): TerminalError {
  return new TerminalError(
    'ROW_MALFORMED',
    `The row was not written by this product: column ${column} is missing or malformed.`,
    { cause },
  );
}
