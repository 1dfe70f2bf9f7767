/** Which plain table is kept equal to one of ours, as the catalogue keeps it: docs/adr/0040. */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { assert, TerminalError } from '../errors.ts';
import { isRegionName } from '../time/stamp.ts';
import {
  isLeaving,
  isOverlaid,
  type ReadSource,
  SOURCE_NAME,
  SOURCE_UNREADABLE,
  TABLE_NAME,
} from './table-source.ts';

const MirrorSchema = Type.Object(
  {
    /** Of this form; one of another is of a build to come. */
    v: Type.Literal(1),
    /** The region whose rows it shows. */
    home: Type.String({ maxLength: 31 }),
    /** By the name that the region has for the account in `Tables.Sources`; never by a key. */
    to: Type.String({ pattern: SOURCE_NAME.source }),
    /** The table's own name there. */
    table: Type.String({ pattern: TABLE_NAME.source }),
    /** When it was begun, on the clock of who did. */
    sinceMs: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  },
  { additionalProperties: false },
);

export type TableMirror = Readonly<Omit<Static<typeof MirrorSchema>, 'v'>>;

export const MIRROR_UNREADABLE = 'unreadable';
/** Is unreadable where no build like this one wrote it: nobody mirrors the table until one can read it. */
export type ReadMirror = TableMirror | typeof MIRROR_UNREADABLE;

export function encodeMirror(mirror: TableMirror): string {
  const text = JSON.stringify({ v: 1, ...mirror, sinceMs: Math.trunc(mirror.sinceMs) });
  assert(decodeMirror(text) !== MIRROR_UNREADABLE, 'a mirror that is written can be read');
  return text;
}

/** Whoever wrote it: what does not fit in every part is unreadable as a whole. */
export function decodeMirror(text: string): ReadMirror {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return MIRROR_UNREADABLE;
    throw error;
  }
  if (!Value.Check(MirrorSchema, json) || !isRegionName(json.home)) return MIRROR_UNREADABLE;
  const { v: _, ...mirror } = json;
  return mirror;
}

/** What of a generation of a table counts. */
interface Mirrorable {
  readonly name: string;
  readonly source: ReadSource | undefined;
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
  const { mirror, source } = current;
  const refuse = (why: string): TerminalError =>
    new TerminalError('TABLE_REQUEST_INVALID', `Table ${current.name} cannot be mirrored: ${why}`, {
      details: { table: current.name },
    });
  if (mirror === MIRROR_UNREADABLE) throw refuse('a newer build wrote how it is. Use its command.');
  if (mirror !== undefined) {
    if (mirror.home === asked.home && isSamePlace(mirror, asked)) return mirror;
    throw refuse(`it is, to ${mirror.table} of ${mirror.to} from ${mirror.home}. End that first.`);
  }
  if (source === SOURCE_UNREADABLE) throw refuse('a newer build wrote where its rows come from.');
  if (source !== undefined) {
    if (isLeaving(source)) throw refuse(`it is ${source.state}. See tandem tables return.`);
    if (source.state !== 'done' && !isOverlaid(source)) {
      throw refuse(`it is ${source.state}: its rows are in the old table. Take it over first.`);
    }
    if (isSamePlace({ to: source.from, table: source.table }, asked)) {
      throw refuse('that is the old table that it was taken over from. Choose another.');
    }
  }
  const other = living.find(
    (one) =>
      one.mirror !== undefined &&
      one.mirror !== MIRROR_UNREADABLE &&
      isSamePlace(one.mirror, asked),
  );
  if (other === undefined) return undefined;
  throw refuse(`table ${other.name} is mirrored there, and each would delete the other's rows.`);
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
  if (mirror === undefined || mirror === MIRROR_UNREADABLE || mirror.sinceMs !== sinceMs) {
    return false;
  }
  return source === undefined || (source !== SOURCE_UNREADABLE && source.state !== 'returned');
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
