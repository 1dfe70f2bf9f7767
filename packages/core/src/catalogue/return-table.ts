/**
 * How a table goes out to the plain one that mirrors it, as the catalogue keeps it: docs/adr/0047. Pure; the steps are written to
 * the record of its generation, each on the version that was seen, so that of two who take one at once one has not.
 */
import { assertNever, TerminalError } from '../errors.ts';
import { MIRROR_UNREADABLE, type ReadMirror } from './table-mirror.ts';
import {
  isLeaving,
  isOverlaid,
  type ReadSource,
  SOURCE_UNREADABLE,
  type TableSource,
} from './table-source.ts';

export type ReturnStep =
  /** From here on no other region than `home` writes to it. */
  | { readonly kind: 'leave'; readonly home: string }
  /** Nor does that one; of the leaving that began at `sinceMs` alone. */
  | { readonly kind: 'hold'; readonly sinceMs: number }
  /** It is as it was; with `sinceMs` only where that leaving is the one under way. */
  | { readonly kind: 'stay'; readonly home: string; readonly sinceMs?: number }
  /** The plain table has `rows` rows and is equal; of the leaving that began at `sinceMs` alone. There is no way back from it. */
  | { readonly kind: 'left'; readonly sinceMs: number; readonly rows: number };

interface Returnable {
  readonly name: string;
  readonly source: ReadSource | undefined;
  readonly mirror: ReadMirror | undefined;
}

/**
 * Returns the source that a step makes; undefined where it has none then. The same object where the step was taken
 * before. Throws `TABLE_REQUEST_INVALID`, saying what stands in the way.
 */
export function decideReturn(
  table: Returnable,
  step: ReturnStep,
  nowMs: number,
): TableSource | undefined {
  const { source } = table;
  if (source === SOURCE_UNREADABLE) {
    throw refusal(table, 'a newer build wrote where its rows come from. Use its command.');
  }
  switch (step.kind) {
    case 'leave':
      if (isLeaving(source)) return source;
      return leave(table, source, { home: step.home, nowMs });
    case 'hold':
      if (!isLeaving(source) || source.sinceMs !== step.sinceMs) throw wasLetStay(table);
      return source.state === 'closing' ? { ...source, state: 'returning' } : source;
    case 'stay':
      if (source?.state === 'returned') {
        throw refusal(table, 'it is returned, and clients may have written to the plain table.');
      }
      if (isLeaving(source) && step.sinceMs !== undefined && source.sinceMs !== step.sinceMs) {
        throw refusal(table, 'another return of it has begun since.');
      }
      return stay(table, source, step.home);
    case 'left':
      if (source?.state === 'returned') return source;
      if (source?.state !== 'returning' || source.sinceMs !== step.sinceMs) {
        throw wasLetStay(table);
      }
      return { ...source, state: 'returned', sinceMs: Math.trunc(nowMs), rows: step.rows };
    default:
      return assertNever(step);
  }
}

/** Another region would take writes again, while the one that returns the table has not heard of it and ends the return. */
function stay(
  table: Returnable,
  source: TableSource | undefined,
  home: string,
): TableSource | undefined {
  const { mirror } = table;
  const isOut = isLeaving(source);
  const known = mirror === MIRROR_UNREADABLE ? undefined : mirror?.home;
  const owner = isOut ? source.home : known;
  if (owner !== undefined && owner !== home) {
    throw refusal(table, `${owner} ${isOut ? 'returns' : 'mirrors'} it. Give that as --region.`);
  }
  return isOut ? source.before : source;
}

function leave(
  table: Returnable,
  before: TableSource | undefined,
  { home, nowMs }: { readonly home: string; readonly nowMs: number },
): TableSource {
  const { mirror } = table;
  if (mirror === undefined) {
    throw refusal(table, 'nothing mirrors it. Begin with tandem tables mirror --to.');
  }
  if (mirror === MIRROR_UNREADABLE) {
    throw refusal(table, 'a newer build wrote how it is mirrored. Use its command.');
  }
  if (mirror.home !== home)
    throw refusal(table, `${mirror.home} mirrors it. Give that as --region.`);
  if (before !== undefined) {
    const { state } = before;
    if (state === 'proxy' || state === 'frozen') {
      throw refusal(table, `it is ${state}: its rows are in the plain table already.`);
    }
    // The copier of another region could write the same record at the same time.
    if (isOverlaid(before) && before.home !== home) {
      throw refusal(
        table,
        `${before.home} still copies it. Prove it first: tandem tables verify-copy.`,
      );
    }
  }
  return {
    state: 'closing',
    home,
    from: mirror.to,
    table: mirror.table,
    sinceMs: Math.trunc(nowMs),
    ...(before === undefined ? {} : { before }),
  };
}

/** Returns what the next generation comes from when one that showed the rows of `follows` has left. */
export function sourceAfterReturn(
  { home, from, table, rows }: TableSource,
  { follows, nowMs }: { readonly follows: number; readonly nowMs: number },
): TableSource {
  const counted = rows === undefined ? {} : { rows };
  return { state: 'proxy', home, from, table, sinceMs: nowMs, follows, ...counted };
}

/** Tells whether a table is what one that left has become, even where that is taken over again by now. */
export function isReturnOf(
  now: ReadSource | undefined,
  { rowsOf }: { readonly rowsOf: number },
): boolean {
  return now !== undefined && now !== SOURCE_UNREADABLE && now.follows === rowsOf;
}

function wasLetStay(table: Returnable): TerminalError {
  return refusal(table, 'it was let stay meanwhile. Begin anew.');
}

function refusal({ name }: Pick<Returnable, 'name'>, why: string): TerminalError {
  return new TerminalError('TABLE_REQUEST_INVALID', `Table ${name} cannot be returned: ${why}`, {
    details: { table: name },
  });
}
