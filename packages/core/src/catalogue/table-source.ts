/**
 * Where the rows of a table come from while it is taken over from a plain one, as the catalogue keeps it: docs/adr/0040.
 *
 *     proxy ──freeze──► frozen ──overlay──► overlay ──copied──► copied ──prove──► done
 *       ▲                 │
 *       └──────thaw───────┘
 *
 *     overlay, copied, done, or made here ──leave──► closing ──hold──► returning ──left──► returned, and the next generation
 *                      ▲                                │                  │                                   is a proxy
 *                      └──────────────stay──────────────┴──────────────────┘
 *
 *     state     what it proves                                                        who may write where
 *     proxy     every row is in the old table; none is here                           the home region, to the old table
 *     frozen    the same; whoever learnt of it begins no write any more               nobody
 *     overlay   nobody writes the old table any more; a row here hides the old one    every region, to its own table
 *     copied    the home region has a row for every old one                           the same
 *     done      every region has, so the old table is read no more                    the same
 *     closing   nothing; whoever learnt of it elsewhere acknowledges no write any more  the region that returns it, which asks anew
 *                                                                                     for each write whether it still may
 *     returning every write of another region is in the one that returns it; there too
 *               whoever learnt of it acknowledges no write any more                   nobody
 *     returned  the plain table that it goes to is equal to every region's rows       nobody
 *
 * How far the copier is changes with every page, so it is no part of it: the home region keeps that among its own.
 */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { assert, TerminalError } from '../errors.ts';
import { TABLE_NAME } from '../limits/table-limits.ts';
import { isRegionName } from '../time/stamp.ts';

export const SOURCE_STATES = [
  'proxy',
  'frozen',
  'overlay',
  'copied',
  'done',
  'closing',
  'returning',
  'returned',
] as const;
export type SourceState = (typeof SOURCE_STATES)[number];

/** Names a source in the settings of a region. */
export const SOURCE_NAME = /^[a-z][a-z0-9-]{0,30}$/;
const DIGEST = /^[0-9a-f]{16,64}$/;
/** Is the last millisecond that a date can have. */
const TIME_MS_MAX = 8_640_000_000_000_000;
const REGIONS_MAX = 33;

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const TimeMs = Type.Integer({ minimum: 0, maximum: TIME_MS_MAX });

/** What the copier did when it had passed the last old row. */
const CopySchema = Type.Object(
  {
    /** Old rows that were read. */
    read: Count,
    /** Counts those of them that were written here; the others were here already. */
    written: Count,
  },
  { additionalProperties: false },
);

/** That every region has a row for every old one. */
const ProofSchema = Type.Object(
  {
    /** Old rows; each is one of the next three. */
    rows: Count,
    /** Are equal to the old one, property for property. */
    untouched: Count,
    /** Were written since, in some region. */
    changed: Count,
    /** Were deleted since, in some region. */
    deleted: Count,
    /** Covers all old rows in their order; who reads the old table again gets the same. */
    digest: Type.String({ pattern: DIGEST.source }),
    atMs: TimeMs,
    regions: Type.Array(Type.String({ maxLength: 31 }), { minItems: 1, maxItems: REGIONS_MAX }),
  },
  { additionalProperties: false },
);

const SOURCE_FIELDS = {
  state: Type.Enum([...SOURCE_STATES]),
  /** The region that forwards, and copies. */
  home: Type.String({ maxLength: 31 }),
  /** By the name that the regions have for it in `Tables.Sources`; never by a key. */
  from: Type.String({ pattern: SOURCE_NAME.source }),
  /** Is the table's own name there. */
  table: Type.String({ pattern: TABLE_NAME.source }),
  /** When the state was reached, on the clock of who changed it; of `returning` when leaving began, by which it is known again. */
  sinceMs: TimeMs,
  /** Counted when it was adopted, for who wants to know how long a copy takes; undefined where nobody counted. */
  rows: Type.Optional(Count),
  /** The old store's own time when the overlay began: no row there is younger, or somebody wrote past us. */
  lastWrittenMs: Type.Optional(TimeMs),
  copy: Type.Optional(CopySchema),
  proof: Type.Optional(ProofSchema),
  /** Whose rows the table showed before it was returned there: the pages that it began go on. */
  follows: Type.Optional(Count),
};

const SourceSchema = Type.Object(
  {
    /** Names this form; another is of a build to come. A build before it reads no state that it does not know. */
    v: Type.Literal(1),
    ...SOURCE_FIELDS,
    /**
     * Says where the rows of a table on its way out came from, so that it can stay; it is absent where the table was
     * made here.
     */
    before: Type.Optional(Type.Object(SOURCE_FIELDS, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

export type CopyCounts = Static<typeof CopySchema>;
export type SourceProof = Static<typeof ProofSchema>;
export type TableSource = Readonly<Omit<Static<typeof SourceSchema>, 'v'>>;

/**
 * Is what a record says that no build like this one wrote: its table is served, and mirrored, by nobody until one can read it.
 */
export const UNREADABLE = 'unreadable';
export type ReadSource = TableSource | typeof UNREADABLE;

/** Returns what a record says; undefined where it says nothing, or nothing that this build can read. */
export function readable<T extends object>(read: T | typeof UNREADABLE | undefined): T | undefined {
  return read === UNREADABLE ? undefined : read;
}

/** Times are whole milliseconds there, whatever the clock gives. */
export function encodeSource(source: TableSource): string {
  const { before } = source;
  const text = JSON.stringify({
    v: 1,
    ...source,
    ...wholeTimes(source),
    ...(before === undefined ? {} : { before: { ...before, ...wholeTimes(before) } }),
  });
  assert(decodeSource(text) !== UNREADABLE, 'a source that is written can be read');
  return text;
}

function wholeTimes({ sinceMs, lastWrittenMs }: TableSource): Partial<TableSource> {
  return {
    sinceMs: Math.trunc(sinceMs),
    ...(lastWrittenMs === undefined ? {} : { lastWrittenMs: Math.trunc(lastWrittenMs) }),
  };
}

/** Whoever wrote it: what does not fit in every part is unreadable as a whole. */
export function decodeSource(text: string): ReadSource {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return UNREADABLE;
    throw error;
  }
  if (!Value.Check(SourceSchema, json)) return UNREADABLE;
  const { v: _, ...source } = json;
  return isPlausible(source) ? source : UNREADABLE;
}

/** What each state has beside those before it. */
function isPlausible(source: TableSource): boolean {
  const { state, home, lastWrittenMs, copy, proof, before } = source;
  if (isLeaving(source)) {
    const isBare = lastWrittenMs === undefined && copy === undefined && proof === undefined;
    const isOfOurs =
      before === undefined ||
      ((isOverlaid(before) || before.state === 'done') && isPlausible(before));
    return isRegionName(home) && isBare && isOfOurs;
  }
  const reached = SOURCE_STATES.indexOf(state);
  const has = (value: unknown, from: SourceState): boolean =>
    (value !== undefined) === reached >= SOURCE_STATES.indexOf(from);
  const isWhole =
    proof === undefined ||
    (proof.rows === proof.untouched + proof.changed + proof.deleted &&
      proof.regions.includes(home) &&
      proof.regions.every(isRegionName));
  return (
    isRegionName(home) &&
    before === undefined &&
    has(lastWrittenMs, 'overlay') &&
    has(copy, 'copied') &&
    has(proof, 'done') &&
    isWhole
  );
}

/** What happens to a table that is taken over. */
export type SourceEvent =
  | { readonly kind: 'freeze' | 'thaw' }
  /** After the freeze that began at `sinceMs` alone: of a later one nobody has waited for the end yet. */
  | { readonly kind: 'overlay'; readonly lastWrittenMs: number; readonly sinceMs: number }
  | { readonly kind: 'copied'; readonly copy: CopyCounts }
  | { readonly kind: 'prove'; readonly proof: SourceProof };

type EventKind = SourceEvent['kind'];

const NOWHERE: Readonly<Record<EventKind, undefined>> = {
  freeze: undefined,
  thaw: undefined,
  overlay: undefined,
  copied: undefined,
  prove: undefined,
};

/** The state that an event leads to; the same where it has happened before, undefined where it may not. */
const NEXT: Readonly<Record<SourceState, Readonly<Record<EventKind, SourceState | undefined>>>> = {
  proxy: {
    freeze: 'frozen',
    thaw: 'proxy',
    overlay: undefined,
    copied: undefined,
    prove: undefined,
  },
  frozen: {
    freeze: 'frozen',
    thaw: 'proxy',
    overlay: 'overlay',
    copied: undefined,
    prove: undefined,
  },
  overlay: {
    freeze: 'overlay',
    thaw: undefined,
    overlay: 'overlay',
    copied: 'copied',
    prove: undefined,
  },
  copied: {
    freeze: 'copied',
    thaw: undefined,
    overlay: 'copied',
    copied: 'copied',
    prove: 'done',
  },
  done: { freeze: 'done', thaw: undefined, overlay: 'done', copied: 'done', prove: 'done' },
  // Out of these lead the steps of a return alone: table-mirror.ts.
  closing: NOWHERE,
  returning: NOWHERE,
  returned: NOWHERE,
};

const WHAT: Readonly<Record<EventKind, string>> = {
  freeze: 'taken over',
  thaw: 'given back to its old address',
  overlay: 'overlaid',
  copied: 'called copied',
  prove: 'called done',
};

/**
 * Returns what an event makes of a source: the same object where it has happened before, so that whoever was cut off
 * repeats it. Throws `TABLE_REQUEST_INVALID` for one that its state does not allow.
 */
export function advanceSource(
  source: TableSource,
  event: SourceEvent,
  { table, nowMs }: { readonly table: string; readonly nowMs: number },
): TableSource {
  const state = NEXT[source.state][event.kind];
  if (state === undefined) {
    throw new TerminalError(
      'TABLE_REQUEST_INVALID',
      `Table ${table} cannot be ${WHAT[event.kind]}: it is in the state ${source.state}. See tandem tables status.`,
      { details: { table, state: source.state } },
    );
  }
  if (state === source.state) return source;
  if (event.kind === 'overlay' && event.sinceMs !== source.sinceMs) {
    throw new TerminalError(
      'TABLE_REQUEST_INVALID',
      `Table ${table} was given back to its old address meanwhile, and frozen again. Run tandem tables take-over again.`,
      { details: { table, state: source.state } },
    );
  }
  const { kind: _, ...told } = event;
  return { ...source, ...told, state, sinceMs: Math.trunc(nowMs) };
}

/** Tells whether it is on its way out to a plain table. */
export function isLeaving(source: ReadSource | undefined): source is LeavingSource {
  const state = readable(source)?.state;
  return state === 'closing' || state === 'returning' || state === 'returned';
}

/**
 * Tells whether a region acknowledges no write of it: on its way out the one that returns it takes writes until the others are done.
 * What this build cannot read may be such a way.
 */
export function isHeldIn(region: string, source: ReadSource | undefined): boolean {
  if (source === UNREADABLE) return true;
  return isLeaving(source) && !(source.state === 'closing' && source.home === region);
}

type LeavingSource = TableSource & { readonly state: 'closing' | 'returning' | 'returned' };

/** Returns where rows that are not here are read, while a row here hides the old one; undefined where all rows are here. */
export function overlaidBy(source: ReadSource | undefined): TableSource | undefined {
  if (isLeaving(source)) return overlaidBy(source.before);
  const read = readable(source);
  return read !== undefined && isOverlaid(read) ? read : undefined;
}

/** Tells whether a row here hides the old one, and what is not here is read there. */
export function isOverlaid({ state }: Pick<TableSource, 'state'>): boolean {
  return state === 'overlay' || state === 'copied';
}
