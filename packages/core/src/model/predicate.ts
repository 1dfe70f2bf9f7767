import { assertNever } from '../errors.ts';
import { canonicalValue, type FieldValue } from '../values/field-value.ts';

export type ComparisonOperator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le';

/** Compares one property with a value that was given. */
export interface Comparison {
  readonly kind: 'compare';
  readonly name: string;
  readonly operator: ComparisonOperator;
  readonly value: FieldValue;
}

/** Says which rows are meant: what a store is asked for and what is judged here are one and the same tree. */
export type Predicate =
  | Comparison
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Predicate[] }
  | { readonly kind: 'not'; readonly part: Predicate }
  | { readonly kind: 'constant'; readonly value: boolean };

/**
 * Tells whether a row is meant. A comparison with a property that the row has not, or that has another
 * type, is false whatever its operator, `ne` too; numbers of different types compare where the value given
 * is an Int32, which OData widens.
 */
export function matches(
  predicate: Predicate,
  valueOf: (name: string) => FieldValue | undefined,
): boolean {
  switch (predicate.kind) {
    case 'and':
      return predicate.parts.every((part) => matches(part, valueOf));
    case 'or':
      return predicate.parts.some((part) => matches(part, valueOf));
    case 'not':
      return !matches(predicate.part, valueOf);
    case 'constant':
      return predicate.value;
    case 'compare':
      return holds(predicate, valueOf(predicate.name));
    default:
      return assertNever(predicate);
  }
}

function holds({ operator, value: given }: Comparison, stored: FieldValue | undefined): boolean {
  if (stored === undefined) return false;
  const order = compare(stored, given);
  if (order === undefined) return false;
  switch (operator) {
    case 'eq':
      return order === 0;
    case 'ne':
      return order !== 0;
    case 'gt':
      return order > 0;
    case 'ge':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'le':
      return order <= 0;
    default:
      return assertNever(operator);
  }
}

/** Returns undefined where there is no order between the two. */
function compare(stored: FieldValue, given: FieldValue): number | undefined {
  if (stored.type !== given.type) return compareWidened(stored, given);
  if (stored.type === 'Binary' && given.type === 'Binary') {
    return Buffer.compare(stored.value, given.value);
  }
  return order(comparableOf(stored), comparableOf(given));
}

function compareWidened(stored: FieldValue, given: FieldValue): number | undefined {
  const isNumber = stored.type === 'Int64' || stored.type === 'Double' || stored.type === 'Int32';
  if (!isNumber || given.type !== 'Int32') return undefined;
  return order(stored.value, given.value);
}

type Comparable = string | number | bigint | boolean;

function comparableOf(field: FieldValue): Comparable {
  const { value, type } = canonicalValue(field);
  if (type === 'DateTime') return padded(value);
  return value as Comparable;
}

/** Texts of instants compare as the instants do once all have seven digits of a second. */
function padded(dateTime: string): string {
  const [seconds = '', fraction = ''] = dateTime.slice(0, -1).split('.');
  return `${seconds}.${fraction.padEnd(7, '0')}`;
}

function order(stored: Comparable, given: Comparable): number | undefined {
  if (stored < given) return -1;
  if (stored > given) return 1;
  // What is neither less nor greater is equal, but for NaN, which equals nothing.
  return Number.isNaN(stored) || Number.isNaN(given) ? undefined : 0;
}

/** Yields every comparison that a predicate makes. */
export function* comparisonsOf(predicate: Predicate): Generator<Comparison> {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      for (const part of predicate.parts) yield* comparisonsOf(part);
      return;
    case 'not':
      yield* comparisonsOf(predicate.part);
      return;
    case 'compare':
      yield predicate;
      return;
    case 'constant':
      return;
    default:
      assertNever(predicate);
  }
}

/** Returns a predicate as the text of a `$filter`, which Table Storage reads as the same. */
export function printPredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.parts
        .map((part) =>
          part.kind === 'and' || part.kind === 'or'
            ? `(${printPredicate(part)})`
            : printPredicate(part),
        )
        .join(` ${predicate.kind} `);
    case 'not':
      return `not (${printPredicate(predicate.part)})`;
    case 'constant':
      return String(predicate.value);
    case 'compare':
    default:
      return `${predicate.name} ${predicate.operator} ${printValue(predicate.value)}`;
  }
}

function printValue(field: FieldValue): string {
  switch (field.type) {
    case 'String':
      return `'${field.value.replaceAll("'", "''")}'`;
    case 'Int64':
      return `${field.value}L`;
    case 'Double':
      return Number.isInteger(field.value) && !/e/.test(String(field.value))
        ? `${field.value}.0`
        : String(field.value);
    case 'DateTime':
    case 'Guid':
      return `${field.type.toLowerCase()}'${field.value}'`;
    case 'Binary':
      return `X'${Buffer.from(field.value).toString('hex')}'`;
    case 'Boolean':
    case 'Int32':
    default:
      return String(field.value);
  }
}

/** A side of a range; absent where there is none. */
export interface Bound {
  readonly value: string;
  readonly isIncluded: boolean;
}

/** Keys between two bounds, in the order of UTF-16 units, which is the service's. */
export interface KeyRange {
  readonly from?: Bound;
  readonly to?: Bound;
}

/** Rows whose both keys lie within ranges: what a scan has to look at. */
export interface KeyBox {
  readonly partitionKey: KeyRange;
  readonly rowKey: KeyRange;
}

/** Beyond these a filter is answered by one look at everything between its outermost keys. */
export const KEY_BOXES_MAX = 16;

const EVERYTHING: KeyBox = { partitionKey: {}, rowKey: {} };

/**
 * Returns boxes of keys outside of which no row matches; none when nothing can match. They hold rows that do
 * not match as well, so each row is judged by the whole predicate.
 */
export function keyBoxesOf(predicate: Predicate): readonly KeyBox[] {
  switch (predicate.kind) {
    case 'and':
      return predicate.parts.map(keyBoxesOf).reduce(intersectAll, [EVERYTHING]);
    case 'or':
      return bounded(predicate.parts.flatMap(keyBoxesOf));
    case 'not':
      return [EVERYTHING];
    case 'constant':
      return predicate.value ? [EVERYTHING] : [];
    case 'compare':
    default:
      return boxesOfComparison(predicate);
  }
}

function boxesOfComparison({ name, operator, value }: Comparison): readonly KeyBox[] {
  if (name !== 'PartitionKey' && name !== 'RowKey') return [EVERYTHING];
  // A key is a text, and compares with nothing else.
  if (value.type !== 'String') return [];
  const ranges = rangesOf(operator, value.value);
  return ranges.map((range) =>
    name === 'PartitionKey'
      ? { partitionKey: range, rowKey: {} }
      : { partitionKey: {}, rowKey: range },
  );
}

function rangesOf(operator: Comparison['operator'], value: string): readonly KeyRange[] {
  const included: Bound = { value, isIncluded: true };
  const excluded: Bound = { value, isIncluded: false };
  switch (operator) {
    case 'eq':
      return [{ from: included, to: included }];
    case 'ge':
      return [{ from: included }];
    case 'gt':
      return [{ from: excluded }];
    case 'le':
      return [{ to: included }];
    case 'lt':
      return [{ to: excluded }];
    case 'ne':
    default:
      return [{ to: excluded }, { from: excluded }];
  }
}

function intersectAll(left: readonly KeyBox[], right: readonly KeyBox[]): readonly KeyBox[] {
  return bounded(
    left.flatMap((a) =>
      right
        .map((b) => ({
          partitionKey: intersect(a.partitionKey, b.partitionKey),
          rowKey: intersect(a.rowKey, b.rowKey),
        }))
        .filter(({ partitionKey, rowKey }) => !isEmpty(partitionKey) && !isEmpty(rowKey)),
    ),
  );
}

/** Replaces too many boxes by the one around them all, so that work stays bounded while they are joined. */
function bounded(boxes: readonly KeyBox[]): readonly KeyBox[] {
  const [first, ...rest] = boxes;
  if (first === undefined || boxes.length <= KEY_BOXES_MAX) return boxes;
  return [
    rest.reduce(
      (hull, box) => ({
        partitionKey: span(hull.partitionKey, box.partitionKey),
        rowKey: span(hull.rowKey, box.rowKey),
      }),
      first,
    ),
  ];
}

function intersect(a: KeyRange, b: KeyRange): KeyRange {
  const from = a.from && b.from ? choose(a.from, b.from, NARROWER.from) : (a.from ?? b.from);
  const to = a.to && b.to ? choose(a.to, b.to, NARROWER.to) : (a.to ?? b.to);
  return toRange(from, to);
}

function span(a: KeyRange, b: KeyRange): KeyRange {
  const from = a.from && b.from && choose(a.from, b.from, WIDER.from);
  const to = a.to && b.to && choose(a.to, b.to, WIDER.to);
  return toRange(from, to);
}

function toRange(from: Bound | undefined, to: Bound | undefined): KeyRange {
  return { ...(from && { from }), ...(to && { to }) };
}

interface Choice {
  readonly isLater: boolean;
  readonly isIncluded: boolean;
}

/** Which of two bounds is taken: the later or the earlier, and of two at one value the one that has it or not. */
const NARROWER = {
  from: { isLater: true, isIncluded: false },
  to: { isLater: false, isIncluded: false },
} as const;
const WIDER = {
  from: { isLater: false, isIncluded: true },
  to: { isLater: true, isIncluded: true },
} as const;

function choose(a: Bound, b: Bound, { isLater, isIncluded }: Choice): Bound {
  if (a.value === b.value) return a.isIncluded === isIncluded ? a : b;
  return a.value > b.value === isLater ? a : b;
}

function isEmpty({ from, to }: KeyRange): boolean {
  if (from === undefined || to === undefined) return false;
  if (from.value === to.value) return !(from.isIncluded && to.isIncluded);
  return from.value > to.value;
}
