/**
 * Which plain table is kept equal to one of ours, as the catalogue keeps it: docs/adr/0040. And how a table goes out to the
 * one that mirrors it: docs/adr/0047.
 */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { assert, assertNever, TerminalError } from '../errors.ts';
import { TABLE_NAME } from '../limits/table-limits.ts';
import { isRegionName } from '../time/stamp.ts';
import { describeMove, isMoving, type TableMove } from './table-move.ts';
import {
  isLeaving,
  isOverlaid,
  type ReadSource,
  readable,
  SOURCE_NAME,
  type TableSource,
  UNREADABLE,
} from './table-source.ts';

const MirrorSchema = Type.Object(
  {
    /** Names this form; another is of a build to come. */
    v: Type.Literal(1),
    /** The region whose rows it shows. */
    home: Type.String({ maxLength: 31 }),
    /** By the name that the region has for the account in `Tables.Sources`; never by a key. */
    to: Type.String({ pattern: SOURCE_NAME.source }),
    /** Is the table's own name there. */
    table: Type.String({ pattern: TABLE_NAME.source }),
    /** When it was begun, on the clock of who did. */
    sinceMs: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  },
  { additionalProperties: false },
);

export type TableMirror = Readonly<Omit<Static<typeof MirrorSchema>, 'v'>>;

/** Is unreadable where no build like this one wrote it: nobody mirrors the table until one can read it. */
export type ReadMirror = TableMirror | typeof UNREADABLE;

export function encodeMirror(mirror: TableMirror): string {
  const text = JSON.stringify({ v: 1, ...mirror, sinceMs: Math.trunc(mirror.sinceMs) });
  assert(decodeMirror(text) !== UNREADABLE, 'a mirror that is written can be read');
  return text;
}

/** Whoever wrote it: what does not fit in every part is unreadable as a whole. */
export function decodeMirror(text: string): ReadMirror {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return UNREADABLE;
    throw error;
  }
  if (!Value.Check(MirrorSchema, json) || !isRegionName(json.home)) return UNREADABLE;
  const { v: _, ...mirror } = json;
  return mirror;
}

/** What of a generation of a table counts. */
interface Mirrorable {
  readonly name: string;
  readonly source: ReadSource | undefined;
  readonly move?: TableMove | undefined;
  readonly mirror: ReadMirror | undefined;
}

/**
 * Decides whether a table may be mirrored so, among the tables that live. Returns the mirror that there is, where it is
 * the same. Throws `TABLE_REQUEST_INVALID`, saying what stands in the way.
 */
export function decideMirror(
  current: Mirrorable,
  asked: Omit<TableMirror, 'sinceMs'>,
  living: readonly Mirrorable[],
): TableMirror | undefined {
  const { mirror, source, move } = current;
  const refuse = (why: string): TerminalError =>
    new TerminalError('TABLE_REQUEST_INVALID', `Table ${current.name} cannot be mirrored: ${why}`, {
      details: { table: current.name },
    });
  if (mirror === UNREADABLE) throw refuse('a newer build wrote how it is. Use its command.');
  if (mirror !== undefined) {
    if (mirror.home === asked.home && isSamePlace(mirror, asked)) return mirror;
    throw refuse(
      `it is, to ${mirror.table} of ${mirror.to} from ${mirror.home}. End that first, which began ` +
        `${new Date(mirror.sinceMs).toISOString()}: tandem tables mirror ${current.name} --region ${mirror.home} --end --apply.`,
    );
  }
  if (source === UNREADABLE) throw refuse('a newer build wrote where its rows come from.');
  if (isMoving(move)) throw refuse(describeMove(current.name, move));
  if (source !== undefined) {
    if (isLeaving(source)) {
      const since = new Date(source.sinceMs).toISOString();
      throw refuse(
        `it is ${source.state} since ${since}. See tandem tables return ${current.name} --region ${source.home}.`,
      );
    }
    if (source.state !== 'done' && !isOverlaid(source)) {
      throw refuse(`it is ${source.state}: its rows are in the old table. Take it over first.`);
    }
    if (isSamePlace({ to: source.from, table: source.table }, asked)) {
      throw refuse('that is the old table that it was taken over from. Choose another.');
    }
  }
  const other = living.find((one) => {
    const kept = readable(one.mirror);
    return kept !== undefined && isSamePlace(kept, asked);
  });
  if (other === undefined) return undefined;
  throw refuse(`table ${other.name} is mirrored there, and each would delete the other's rows.`);
}

/** Throws `TABLE_REQUEST_INVALID` while the table is on its way out to its mirror. */
export function checkMirrorEnd({ name, source }: Pick<Mirrorable, 'name' | 'source'>): void {
  if (!isLeaving(source)) return;
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `The mirror of table ${name} cannot be ended: the table is ${source.state}. See tandem tables return.`,
    { details: { table: name } },
  );
}

/**
 * Tells whether a table that was read before is still the same one, with the same mirror. Whoever writes to a mirror asks after each
 * time that it took the lease: whoever had it meanwhile may have given the plain table to clients.
 */
export function isMirroredStill(
  now: MirroredGeneration | undefined,
  { generation, sinceMs }: { readonly generation: number; readonly sinceMs: number },
): boolean {
  if (now?.generation !== generation) return false;
  const { mirror, source } = now;
  if (readable(mirror)?.sinceMs !== sinceMs) return false;
  return source === undefined || (source !== UNREADABLE && source.state !== 'returned');
}

interface MirroredGeneration extends Pick<Mirrorable, 'source' | 'mirror'> {
  readonly generation: number;
}

function isSamePlace(
  a: Pick<TableMirror, 'to' | 'table'>,
  b: Pick<TableMirror, 'to' | 'table'>,
): boolean {
  // The names of tables are the same in any case.
  return a.to === b.to && a.table.toLowerCase() === b.table.toLowerCase();
}

/**
 * A step of a table on its way out to the plain one that mirrors it. Steps are written to the record of its generation, each on
 * the version that was seen, so that of two who take one at once one has not.
 */
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
  readonly move: TableMove | undefined;
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
  if (source === UNREADABLE) {
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
  const known = readable(mirror)?.home;
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
  const { mirror, move } = table;
  // What is proven equal to the plain table is one space, and rows lie in two.
  if (isMoving(move)) throw refusal(table, describeMove(table.name, move));
  if (mirror === undefined) {
    throw refusal(table, 'nothing mirrors it. Begin with tandem tables mirror --to.');
  }
  if (mirror === UNREADABLE) {
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
  return readable(now)?.follows === rowsOf;
}

function wasLetStay(table: Returnable): TerminalError {
  // Begun in another region at the same time: of the two the catalogue keeps one.
  if (isMoving(table.move)) return refusal(table, describeMove(table.name, table.move));
  return refusal(table, 'it was let stay meanwhile. Begin anew.');
}

function refusal({ name }: Pick<Returnable, 'name'>, why: string): TerminalError {
  return new TerminalError('TABLE_REQUEST_INVALID', `Table ${name} cannot be returned: ${why}`, {
    details: { table: name },
  });
}
