/**
 * How a table of clients moves to another space, which has another number of buckets, as the catalogue keeps it: docs/adr/0044.
 *
 *     begin ──► joining ──turn──► turning ──turned──► moved ──settle──► settled
 *                  │
 *                  └──cancel──► as it was
 *
 *     state     what it proves                                                       where a region writes
 *     joining   nothing: a region that learnt of it reads both spaces, and writes    the old space
 *               on the join of both
 *     turning   every region does so                                                 the old one; once it learnt of it and has
 *                                                                                    waited for its own processes, the new one
 *     moved     no region writes to the old space any more, and what was written     the new space
 *               there is in every region
 *     settled   every row of the old space is contained in one of the new one, in    the new space, which alone is read
 *               every region
 */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  localRowsKind,
  type OpenKind,
  otherRowsKind,
  rowsKind,
} from '../entity-kind/entity-kind.ts';
import { assert, assertNever, TerminalError } from '../errors.ts';
import { isRegionName } from '../time/stamp.ts';
import {
  decodeSource,
  encodeSource,
  isLeaving,
  type ReadSource,
  readable,
  UNREADABLE,
} from './table-source.ts';

const MOVE_STATES = ['joining', 'turning', 'moved', 'settled'] as const;
export type MoveState = (typeof MOVE_STATES)[number];

const MoveSchema = Type.Object(
  {
    state: Type.Enum([...MOVE_STATES]),
    from: Type.Literal('Rows'),
    to: Type.Literal('Rows2'),
    /** The region whose record is changed: of two that change it at once one would lose. */
    home: Type.String({ maxLength: 31 }),
    /** When the state was reached, on the clock of who changed it: by it a step is known to be of this move. */
    sinceMs: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  },
  { additionalProperties: false },
);

export type TableMove = Readonly<Static<typeof MoveSchema>>;

/** Is what a record says of where its rows come from, and of the space that they lie in. */
export interface Origin {
  readonly source: ReadSource | undefined;
  readonly move: TableMove | undefined;
}

/** Is what a record says that no build like this one wrote. */
export const UNREADABLE_ORIGIN: Origin = { source: UNREADABLE, move: undefined };

const WrappedSchema = Type.Object(
  {
    /** Is unknown to a build that knows no spaces: it would look for the rows where they are not, and so serves no such table. */
    v: Type.Literal(2),
    move: MoveSchema,
    /** As it stands in a record without a move. */
    source: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

/** Returns the text of both in one column; null where there is neither. */
export function encodeOrigin({ source, move }: Origin): string | null {
  assert(source !== UNREADABLE, 'what nobody can read is not written anew');
  const own = source === undefined ? undefined : encodeSource(source);
  if (move === undefined) return own ?? null;
  const whole = { ...move, sinceMs: Math.trunc(move.sinceMs) };
  const text = JSON.stringify({ v: 2, move: whole, ...(own === undefined ? {} : { source: own }) });
  assert(decodeOrigin(text).source !== UNREADABLE, 'a move that is written can be read');
  return text;
}

/** Whoever wrote it: what does not fit in every part is unreadable as a whole. */
export function decodeOrigin(text: string | null): Origin {
  if (text === null) return { source: undefined, move: undefined };
  const wrapped = readWrapped(text);
  if (wrapped === undefined) return { source: decodeSource(text), move: undefined };
  const source = wrapped.source === undefined ? undefined : decodeSource(wrapped.source);
  const { move } = wrapped;
  // Whoever cannot read where a table is must not take it for one at rest.
  if (source === UNREADABLE || !isRegionName(move.home)) return UNREADABLE_ORIGIN;
  return { source, move };
}

function readWrapped(text: string): Static<typeof WrappedSchema> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return Value.Check(WrappedSchema, json) ? json : undefined;
}

/** A step of a move. Each but the first is of the state that was reached at `sinceMs` alone: of another one nobody has waited for its end. */
export type MoveStep =
  | { readonly kind: 'begin'; readonly home: string }
  | { readonly kind: 'turn' | 'turned' | 'settle' | 'cancel'; readonly sinceMs: number };

/** What of a generation of a table says where its rows lie. */
interface Placed {
  readonly replicate: 'all' | 'none' | typeof UNREADABLE;
  readonly move: TableMove | undefined;
}

interface Movable extends Placed {
  readonly name: string;
  readonly source: ReadSource | undefined;
  /** The plain table that is kept equal to it; undefined where there is none. */
  readonly mirror: Mirrored | typeof UNREADABLE | undefined;
}

interface Mirrored {
  readonly home: string;
  readonly to: string;
  readonly table: string;
  readonly sinceMs: number;
}

/** The state that a step is taken in, and the one that it leads to. */
const STEPS = {
  turn: { before: 'joining', after: 'turning', what: 'turned to its new space' },
  turned: { before: 'turning', after: 'moved', what: 'called moved' },
  settle: { before: 'moved', after: 'settled', what: 'called settled' },
} as const;

/**
 * Returns what a step makes of where a table is: the same object where the step was taken before, so that whoever was cut
 * off repeats it; undefined where it rests in the first space. Throws `TABLE_REQUEST_INVALID`, saying what stands in the way.
 */
export function decideMove(table: Movable, step: MoveStep, nowMs: number): TableMove | undefined {
  const { move } = table;
  switch (step.kind) {
    case 'begin':
      return beginMove(table, step.home, nowMs);
    case 'cancel':
      if (move === undefined || move.state === 'settled') return move;
      if (move.state !== 'joining') {
        throw refusal(table, `it is ${move.state}: rows of it are in the new space.`);
      }
      checkSince(table, move, step.sinceMs);
      return undefined;
    case 'turn':
    case 'turned':
    case 'settle': {
      const { before, after, what } = STEPS[step.kind];
      if (move?.state === after) return move;
      if (move?.state !== before) {
        throw refusal(table, `it is ${move?.state ?? 'at rest'}, and cannot be ${what}.`);
      }
      checkSince(table, move, step.sinceMs);
      // Begun in another region before that one had heard: a mirror reads one space, and would delete what lies in the other.
      if (step.kind === 'turn' && table.mirror !== undefined) throw mirrored(table, table.mirror);
      return { ...move, state: after, sinceMs: Math.trunc(nowMs) };
    }
    default:
      return assertNever(step);
  }
}

function checkSince(table: Movable, move: TableMove, sinceMs: number): void {
  if (move.sinceMs === sinceMs) return;
  throw refusal(table, 'another move of it has begun since. Begin anew.');
}

function beginMove(table: Movable, home: string, nowMs: number): TableMove {
  const { replicate, source, move, mirror } = table;
  if (isMoving(move)) {
    if (move.home === home) return move;
    throw refusal(
      table,
      `${move.home} moves it. Give that as --region: ${describeMove(table.name, move)}`,
    );
  }
  if (source === UNREADABLE) throw refusal(table, 'a newer build wrote where its rows come from.');
  if (replicate !== 'all') throw refusal(table, 'it goes to no other region.');
  if (isLeaving(source)) {
    const { state, from, table: there, sinceMs } = source;
    const ends =
      state === 'returned'
        ? 'It has no way back.'
        : `tandem tables return ${table.name} --region ${source.home} --back --apply lets it stay.`;
    const since = new Date(sinceMs).toISOString();
    throw refusal(table, `it is ${state} to ${there} of ${from} since ${since}. ${ends}`);
  }
  if (source !== undefined && source.state !== 'done') {
    throw refusal(table, `it is ${source.state}, and its rows are not all here.`);
  }
  if (mirror !== undefined) throw mirrored(table, mirror);
  if (move !== undefined) throw refusal(table, `it lies in ${move.to} already.`);
  return { state: 'joining', from: 'Rows', to: 'Rows2', home, sinceMs: Math.trunc(nowMs) };
}

function mirrored(table: Movable, mirror: NonNullable<Movable['mirror']>): TerminalError {
  const kept = readable(mirror);
  if (kept === undefined) {
    return refusal(table, 'it is mirrored, as a newer build wrote. Use its command to end that.');
  }
  const { home, to, table: there, sinceMs } = kept;
  return refusal(
    table,
    `it is mirrored to ${there} of ${to} from ${home} since ${new Date(sinceMs).toISOString()}. End that first: ` +
      `tandem tables mirror ${table.name} --region ${home} --end --apply.`,
  );
}

/** Says that a table moves, since when, and how that is ended: whatever else would be begun has to wait for it. */
export function describeMove(name: string, { state, to, home, sinceMs }: TableMove): string {
  const command = `tandem tables move ${name} --region ${home}`;
  const back = state === 'joining' ? `, or ${command} --back --apply leaves it where it is` : '';
  return (
    `it moves to ${to}, ${state} since ${new Date(sinceMs).toISOString()}. ` +
    `${command} --apply goes on to the end${back}.`
  );
}

function refusal({ name }: Movable, why: string): TerminalError {
  return new TerminalError('TABLE_REQUEST_INVALID', `Table ${name} cannot be moved: ${why}`, {
    details: { table: name },
  });
}

/** Tells whether rows of a table lie in two spaces. */
export function isMoving(
  move: TableMove | undefined,
): move is TableMove & { readonly state: Exclude<MoveState, 'settled'> } {
  return move !== undefined && move.state !== 'settled';
}

/** Where the rows of a table are. */
export interface TableSpaces {
  /** Is where they are written, by a region that has turned where the table is `turning`. */
  readonly own: OpenKind;
  /** Is read too, and what is written is made on it; undefined where the table does not move. */
  readonly other: OpenKind | undefined;
}

/** Returns the kinds that hold the rows of a table. */
export function spacesOf({ replicate, move }: Placed): TableSpaces {
  if (replicate === 'none') return { own: localRowsKind, other: undefined };
  const [from, to] = [rowsKind, otherRowsKind];
  if (!isMoving(move)) return { own: move === undefined ? from : to, other: undefined };
  return move.state === 'joining' ? { own: from, other: to } : { own: to, other: from };
}
