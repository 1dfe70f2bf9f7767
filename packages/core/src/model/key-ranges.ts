import type { Comparison, Predicate } from './predicate.ts';

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
