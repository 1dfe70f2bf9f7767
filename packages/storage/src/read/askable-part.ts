/**
 * What of a filter a store is asked: never more than the filter says, so that each row that it means comes, and whoever
 * asks judges all that comes by the whole of it.
 *
 *     a and b       what of each can be asked
 *     a or b        what of both can be asked, or nothing
 *     not a, true   nothing: what a store lets pass too much would be missing then
 *     a < b         as it is, where `isAskable`; an order of instants with the instant itself, for stores compare milliseconds
 */
import {
  type Comparison,
  canonicalValue,
  comparisonsOf,
  isAskable,
  type Predicate,
  printPredicate,
} from '@tandem/core';

/** Leaves room for the bounds of a range and for what a form of rows adds. */
const COMPARISONS_ASKED_MAX = 8;
/** As it stands in a URL, of which the service takes 32 KiB with all else. */
const TEXT_ASKED_MAX = 4_096;

/**
 * Returns undefined where nothing can be asked. `columnsOf` says of a comparison what holds in the columns of a row
 * where it does, and undefined where none tells.
 */
export function askablePart(
  where: Predicate,
  columnsOf: (comparison: Comparison) => Predicate | undefined,
): Predicate | undefined {
  const asked: Predicate[] = [];
  for (const part of conjunctsOf(where)) {
    const own = weaken(part, columnsOf);
    if (own === undefined) continue;
    const all = join('and', [...asked, own]);
    if ([...comparisonsOf(all)].length > COMPARISONS_ASKED_MAX) continue;
    if (encodeURIComponent(printPredicate(all)).length > TEXT_ASKED_MAX) continue;
    asked.push(own);
  }
  return asked.length === 0 ? undefined : join('and', asked);
}

function conjunctsOf(where: Predicate): readonly Predicate[] {
  return where.kind === 'and' ? where.parts.flatMap(conjunctsOf) : [where];
}

function join(kind: 'and' | 'or', parts: readonly Predicate[]): Predicate {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind, parts };
}

/** Returns what holds wherever `where` does. */
function weaken(
  where: Predicate,
  columnsOf: (comparison: Comparison) => Predicate | undefined,
): Predicate | undefined {
  switch (where.kind) {
    case 'and': {
      const parts = where.parts.flatMap((part) => weaken(part, columnsOf) ?? []);
      return parts.length === 0 ? undefined : join('and', parts);
    }
    case 'or': {
      const parts = where.parts.map((part) => weaken(part, columnsOf));
      const known = parts.filter((part) => part !== undefined);
      return known.length === 0 || known.length < parts.length ? undefined : join('or', known);
    }
    case 'compare': {
      const columns = columnsOf(where);
      if (columns?.kind !== 'compare') return columns && weaken(columns, itself);
      const askable = { ...columns, ...wider(columns) };
      return isAskable(askable) ? askable : undefined;
    }
    case 'not':
    case 'constant':
    default:
      return undefined;
  }
}

const itself = (comparison: Comparison): Comparison => comparison;

function wider({ operator, value }: Comparison): Pick<Comparison, 'operator' | 'value'> {
  const canonical = canonicalValue(value);
  if (value.type !== 'DateTime') return { operator, value: canonical };
  if (operator === 'gt') return { operator: 'ge', value: canonical };
  return { operator: operator === 'lt' ? 'le' : operator, value: canonical };
}
