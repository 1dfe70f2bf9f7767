// The tables of clients as a region serves them: names from the catalogue, rows of one open kind for all of them, or
// of its twin for those that are not replicated. Docs/adr/0033 and 0034.
import {
  assertNever,
  type Clock,
  covers,
  encodeOpenId,
  formatGeneration,
  isHeldIn,
  isMoving,
  isReturnOf,
  type Notices,
  OLD_REGION,
  type OpenKey,
  type OpenKind,
  openTableId,
  overlaidBy,
  peersOfKind,
  readable,
  rowsIdOf,
  rowsKindOf,
  spacesOf,
  type TableGeneration,
  type TableSource,
  type TableSpaces,
  TerminalError,
  TransientError,
  tableKeyOf,
  UNREADABLE,
  type VersionVector,
} from '@tandem/core';
import {
  createForwardingTable,
  createOldTable,
  createOpenTable,
  type FoundTable,
  type OldTable,
  type OpenTable,
  type OpenTableOptions,
  TABLE_TRUST_MS,
  type TableCatalogue,
} from '@tandem/storage';
import { FORWARD_MS_MAX, type Sources } from './connections.ts';
import type { Acknowledgement, AcknowledgementAsked } from './consistency/acknowledgements.ts';
import type { Consistency } from './consistency/consistency.ts';
import { createPlaces, type Places } from './consistency/places.ts';
import type { ReceiptAnswer, WriteReceipt } from './consistency/receipts.ts';
import type { Reach, Wait } from './consistency/version-gate.ts';

/**
 * One table of clients in one region, and what callers may ask of the rows that they wrote and saw. Every call throws
 * `TABLE_NOT_FOUND` where there is no such table; a write does so too where it was deleted meanwhile.
 */
export interface RegionOpenTable extends OpenTable {
  /** Says whether this region shows at least `least` of the row, within the wait; see `VersionGate`. */
  reach(key: OpenKey, least: VersionVector, wait: Wait): Promise<Reach>;
  /** Resolves to what a write of this process, with this version, reaches in the time given. */
  acknowledgementOf(version: VersionVector, asked: AcknowledgementAsked): Promise<Acknowledgement>;
  /** Makes the receipt of a write that was acknowledged just now. */
  receiptFor(key: OpenKey, version: VersionVector): Promise<string>;
  /** Returns what a receipt says; undefined for what is no receipt of this row. */
  readReceipt(key: OpenKey, receipt: string): Promise<WriteReceipt | undefined>;
  /** Tells where a write has been applied, as `Receipts` does. */
  whereApplied(key: OpenKey, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
}

/** A table as it was found: deleted and created again it is another, and this one takes no more writes. */
export interface FoundRegionTable {
  readonly table: TableGeneration;
  readonly rows: RegionOpenTable;
  /** Whose rows they are, as far as replication goes. */
  readonly kind: OpenKind;
  /** Returns the id under which replication knows the row. */
  idOf(key: OpenKey): string;
}

export interface OpenTables {
  /** Returns the living table of that name, in any case; undefined where there is none. */
  find(name: string): Promise<FoundRegionTable | undefined>;
  /** Returns the same as the region has it at this moment, whatever the process remembers. */
  findNow(name: string): Promise<FoundRegionTable | undefined>;
  /** Returns the table that the name stands for at each call. Throws `TABLE_REQUEST_INVALID` for no name. */
  open(name: string): RegionOpenTable;
}

/** All rows of one open kind, of whichever table; joined with those of another one for the tables that move. */
export interface OpenSpace {
  readonly rows: Omit<OpenTableOptions, 'tableId' | 'policy'>;
  readonly consistency: Consistency;
}

export interface OpenTablesOptions extends Omit<BoundParts, 'space' | 'places' | 'turns'> {
  readonly catalogue: Pick<TableCatalogue, 'find' | 'findNow' | 'confirm'>;
  /** Opens what the rows of a table lie in; undefined where the region has no such space. */
  readonly spaceOf: (spaces: TableSpaces) => OpenSpace | undefined;
}

/** Bounds what waits in one process while tables are frozen. */
const HELD_MAX = 500;

export function createOpenTables(options: OpenTablesOptions): OpenTables {
  const { catalogue, spaceOf, clock } = options;
  const places = createPlaces({
    what: 'requests that wait for a table to be taken over',
    countMax: HELD_MAX,
    perCallerMax: HELD_MAX,
  });
  const turns = createTurns(clock);
  const bind = (found: FoundTable | undefined): FoundRegionTable | undefined => {
    if (found === undefined) return undefined;
    const { table } = found;
    if (table.replicate === UNREADABLE) throw errorUnserved(table);
    const space = spaceOf(spacesOf(table));
    if (space === undefined) throw errorWithoutSpace(table);
    return bindTable(found, { ...options, places, turns, space });
  };
  const find = async (name: string): Promise<FoundRegionTable | undefined> =>
    bind(await catalogue.find(name));
  return {
    find,
    findNow: async (name) => bind(await catalogue.findNow(name)),
    open(name) {
      tableKeyOf(name);
      return openByName(async () => {
        const found = await find(name);
        if (found === undefined) throw noTable(name);
        return found.rows;
      });
    },
  };
}

export function noTable(name: string): TerminalError {
  return new TerminalError(
    'TABLE_NOT_FOUND',
    `There is no table ${name} in this region. Create it in the catalogue, in any region; the others get it within seconds.`,
    { details: { table: name } },
  );
}

interface BoundParts {
  readonly catalogue: Pick<TableCatalogue, 'findNow' | 'confirm'>;
  readonly space: OpenSpace;
  readonly region: string;
  readonly peers: readonly string[];
  /** Where the rows of tables that are taken over come from. */
  readonly sources: Sources;
  readonly notices: Pick<Notices, 'note'>;
  readonly places: Places;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping: AbortSignal;
}

const RETRY_AFTER_MS = 1_000;

/** Refuses to answer for a table whose rows lie elsewhere: it would seem to be empty. */
function errorUnserved({ name, source }: TableGeneration): TransientError {
  if (source === UNREADABLE) {
    return new TransientError(
      'TABLE_UNAVAILABLE',
      `A newer build wrote how table ${name} is kept, which this one cannot read. Upgrade this region.`,
      { retryAfterMs: RETRY_AFTER_MS, details: { table: name } },
    );
  }
  const state = readable(source)?.state ?? 'unknown';
  return new TransientError(
    'TABLE_UNAVAILABLE',
    `Table ${name} is taken over from another account, and is not served here in its state, ${state}. Try again.`,
    { retryAfterMs: RETRY_AFTER_MS, details: { table: name, state } },
  );
}

/** Refuses to answer for a table that moves to where this region has nothing yet. */
function errorWithoutSpace({ name }: TableGeneration): TransientError {
  return new TransientError(
    'TABLE_UNAVAILABLE',
    `Table ${name} lies, or moves to, where this region has no rows. Set Rows2.BucketCount here as in the other regions.`,
    { retryAfterMs: RETRY_AFTER_MS, details: { table: name } },
  );
}

/** Says of a write that was done whose table is not as it was found: deleted, or on its way out. */
async function errorUnconfirmed(
  { key, name, generation, move }: TableGeneration,
  catalogue: BoundParts['catalogue'],
): Promise<TerminalError | TransientError> {
  const now = (await catalogue.findNow(key))?.table;
  if (isMoving(now?.move) && now.generation === generation && now.move.state !== move?.state) {
    return new TransientError(
      'TABLE_OUTCOME_UNKNOWN',
      `Table ${name} moved on to another space during a write, which may be done. Try again.`,
      { retryAfterMs: RETRY_AFTER_MS, details: { table: name } },
    );
  }
  const source = readable(now?.source);
  const isLeft = source !== undefined && source.state !== 'done';
  // Of the same generation the return was taken back since, and the write is there to stay.
  if (!isLeft && now?.generation !== generation) return noTable(name);
  return new TransientError(
    'TABLE_OUTCOME_UNKNOWN',
    `Table ${name} was on its way out to a plain table during a write, which may have come too late for it. Try again.`,
    { retryAfterMs: RETRY_AFTER_MS, details: { table: name } },
  );
}

/** Returns the table as its state in the catalogue lets it be served here: docs/adr/0040. */
function bindTable(found: FoundTable, parts: BoundParts): FoundRegionTable {
  const { table } = found;
  const { source } = table;
  if (source === undefined) return bindOurs(found, parts);
  if (source === UNREADABLE) throw errorUnserved(table);
  switch (source.state) {
    case 'done':
      return bindOurs(found, parts);
    case 'overlay':
    case 'copied':
      return bindRows(found, parts, openOld(table, source, parts));
    case 'closing':
    case 'returning':
    case 'returned':
      return bindLeaving(found, source, parts);
    case 'proxy':
    case 'frozen':
      // One region forwards, so that its word alone ends it.
      if (source.home !== parts.region) throw errorUnserved(table);
      return bindForwarded(found, source, parts);
    default:
      return assertNever(source.state);
  }
}

/** A write, done to whichever rows the table has when its turn comes. */
type Write<O> = (rows: OpenTable) => Promise<O>;

/** Returns all writes of a table, each of them done by `write`. */
function writesBy(write: <O>(work: Write<O>) => Promise<O>): Omit<OpenTable, 'get' | 'query'> {
  return {
    insert: (...asked) => write((rows) => rows.insert(...asked)),
    put: (...asked) => write((rows) => rows.put(...asked)),
    merge: (...asked) => write((rows) => rows.merge(...asked)),
    remove: (...asked) => write((rows) => rows.remove(...asked)),
    transact: (...asked) => write((rows) => rows.transact(...asked)),
  };
}

/** Returns what the ids of its rows began with before it was returned to a plain table. */
function formerIdOf({ key, source }: TableGeneration): string | undefined {
  const follows = readable(source)?.follows;
  return follows === undefined ? undefined : openTableId(key, formatGeneration(follows));
}

/**
 * Of a table that goes to no other region the old rows are those of its home alone: elsewhere they would be shown until the copy is
 * done, and be gone then. A row that no region can adopt is in no page: it is named, so that somebody mends it in the old table.
 */
function openOld(
  table: TableGeneration,
  source: TableSource,
  { region, sources, notices }: BoundParts,
): OldTable | undefined {
  if (table.replicate === 'none' && source.home !== region) return undefined;
  const store = sources.open(source.from).reads;
  return createOldTable({
    store,
    table: source.table,
    tableId: rowsIdOf(table),
    onRefused: ({ partitionKey, rowKey, why }) =>
      notices.note('row-foreign', `${source.table}/${partitionKey}/${rowKey}`, why),
  });
}

/** When this process first saw each table that turns to another space. */
interface Turns {
  /** Tells how long no process of the region may write to the new space yet; 0 once all of them have looked again. */
  leftMs(found: FoundTable): number;
}

function createTurns(clock: Clock): Turns {
  const seen = new Map<string, { readonly sinceMs: number; readonly seenMs: number }>();
  return {
    leftMs({ table: { key, generation, move } }) {
      if (move?.state !== 'turning') return 0;
      const name = `${key}~${generation}`;
      const nowMs = clock.nowMs();
      const known = seen.get(name);
      // A clock that was set back begins anew, so that it holds for no longer than that.
      if (known?.sinceMs !== move.sinceMs || nowMs < known.seenMs) {
        seen.set(name, { sinceMs: move.sinceMs, seenMs: nowMs });
        return HOLD_MS;
      }
      return Math.max(known.seenMs + HOLD_MS - nowMs, 0);
    },
  };
}

/**
 * Binds a table whose rows are all here. Where it turns to its new space, writes wait until every process of the region has: whoever
 * looked before may write to the old one for as long as he trusts that, and of two in either space neither would see the other.
 */
function bindOurs(found: FoundTable, parts: BoundParts): FoundRegionTable {
  const bound = bindRows(found, parts, undefined);
  const { turns, places, clock, stopping } = parts;
  if (turns.leftMs(found) === 0) return bound;
  const write = async <O>(work: Write<O>): Promise<O> => {
    if (turns.leftMs(found) > 0) {
      const leave = places.take(found.table.key);
      try {
        while (turns.leftMs(found) > 0 && !stopping.aborted) {
          await clock.sleep(Math.min(turns.leftMs(found), LOOK_EVERY_MS), stopping);
        }
      } finally {
        leave();
      }
    }
    if (stopping.aborted) throw errorUnserved(found.table);
    return work(bound.rows);
  };
  return { ...bound, rows: { ...bound.rows, ...writesBy(write) } };
}

/** Binds a table whose rows are here, over an old one where there is one. */
function bindRows(
  found: FoundTable,
  parts: BoundParts,
  old: OldTable | undefined,
): FoundRegionTable {
  const { table } = found;
  const { catalogue, space, region, peers } = parts;
  const { consistency } = space;
  const kind = rowsKindOf(table);
  const tableId = rowsIdOf(table);
  const rows = createOpenTable({
    ...space.rows,
    tableId,
    formerId: formerIdOf(table),
    policy: table.policy,
    old,
  });
  const idOf = (key: OpenKey): string => encodeOpenId(tableId, key);
  /** Nothing is acknowledged into a table that was deleted meanwhile. */
  const confirmed = async <O>(work: Write<O>): Promise<O> => {
    const outcome = await work(rows);
    if (await catalogue.confirm(found, region)) return outcome;
    throw await errorUnconfirmed(table, catalogue);
  };
  /** Says whether a version is of the old table alone, and the row there, which nothing here hides, has it. */
  const isShownByOld = async (key: OpenKey, least: VersionVector): Promise<boolean> => {
    if (old === undefined || !isOfOldAlone(least)) return false;
    if ((await space.rows.states.read(idOf(key))) !== undefined) return false;
    const state = await old.get(key);
    return state !== undefined && covers(state.vector, least);
  };
  const reach = async (key: OpenKey, least: VersionVector, wait: Wait): Promise<Reach> => {
    if (await isShownByOld(key, least)) return { kind: 'reached' };
    return consistency.reach(idOf(key), least, wait);
  };
  return {
    table,
    kind,
    idOf,
    rows: {
      get: (key) => rows.get(key),
      query: (query) => rows.query(query),
      ...writesBy(confirmed),
      reach,
      acknowledgementOf: (version, asked) => consistency.acknowledgementOf(version, asked),
      receiptFor: async (key, version) => consistency.receiptFor(idOf(key), version),
      readReceipt: async (key, receipt) => consistency.readReceipt(idOf(key), receipt),
      async whereApplied(key, receipt, wait) {
        if (!isOfOldAlone(receipt.version))
          return consistency.whereApplied(idOf(key), receipt, wait);
        const reached = await reach(key, receipt.version, wait);
        if (reached.kind === 'impossible') return { kind: 'forged', why: reached.why };
        // Whichever region serves the table shows what was done in the old one.
        if (reached.kind !== 'reached') return { kind: 'not-reached' };
        return appliedIn([region, ...peersOfKind(kind.name, peers)]);
      },
    },
  };
}

function isOfOldAlone(version: VersionVector): boolean {
  return version.size === 1 && version.has(OLD_REGION);
}

function appliedIn(regions: readonly string[]): ReceiptAnswer {
  return {
    kind: 'told',
    regions: regions.map((region) => ({ region, state: 'applied' as const })),
  };
}

/**
 * How long the region that returns a table holds writes before it is proven that the plain table has them. Each process looks before
 * each write by then, and acknowledges none by what it has seen for longer than the catalogue has it; what was committed later than
 * that was under way all the while.
 */
export const HOLD_MS = TABLE_TRUST_MS + 500;

/**
 * Binds a table on its way out: its rows are shown, and what is written waits until it is a proxy, or stays; while it closes the
 * region that returns it takes writes. Each call looks at the state first: in that region nobody is shown rows of here once the plain
 * table takes writes; another shows them until it has heard.
 */
function bindLeaving(found: FoundTable, source: TableSource, parts: BoundParts): FoundRegionTable {
  const { table } = found;
  const { clock, places, catalogue, region, stopping } = parts;
  const overlaid = overlaidBy(source);
  const old = overlaid && openOld(table, overlaid, parts);
  const bound = bindRows(found, parts, old);
  /** Returns what the table is now; undefined while writes are held. */
  const look = async (): Promise<RegionOpenTable | undefined> => {
    const now = await catalogue.findNow(table.key);
    if (now === undefined) throw noTable(table.name);
    const isSame = now.table.generation === table.generation;
    if (isSame && isHeldIn(region, now.table.source)) return undefined;
    if (isSame && stateOf(now) === 'closing') return bindRows(now, parts, old).rows;
    // Deleted and made again it would be another.
    if (!isSame && !isReturnOf(now.table.source, table)) throw noTable(table.name);
    return bindTable(now, parts).rows;
  };
  const read = async <T>(work: (rows: RegionOpenTable) => Promise<T>): Promise<T> =>
    work((await look()) ?? bound.rows);
  const wait = async (): Promise<RegionOpenTable> => {
    const leave = places.take(table.key);
    try {
      const endMs = clock.nowMs() + HELD_MS_MAX;
      while (clock.nowMs() < endMs && !stopping.aborted) {
        await clock.sleep(LOOK_EVERY_MS, stopping);
        const rows = await look();
        if (rows !== undefined) return rows;
      }
      throw errorUnserved(table);
    } finally {
      leave();
    }
  };
  // Only who waits takes a place: while the table closes writes go on here, as many as ever.
  const write = async <O>(work: Write<O>): Promise<O> => work((await look()) ?? (await wait()));
  return {
    ...bound,
    rows: {
      ...bound.rows,
      get: (key) => read((rows) => rows.get(key)),
      query: (query) => read((rows) => rows.query(query)),
      ...writesBy(write),
    },
  };
}

/** A process that stands still for longer between asking and writing asks again. */
const MAY_WRITE_MS = 1_000;
/**
 * How long a table is frozen before it may be overlaid: what was let pass has ended, and whoever remembers the state
 * before has asked again, as the catalogue has it done after three seconds.
 */
export const FREEZE_MS = MAY_WRITE_MS + FORWARD_MS_MAX + 500;
/** Longer than a table is frozen; whoever waited for it in vain comes again. */
const HELD_MS_MAX = 2 * FREEZE_MS;
const LOOK_EVERY_MS = 100;

/** Says that the state changed between the look at it and the write, of which nothing was done. */
class StateChanged extends TransientError {}

/** Binds a table of which every row is in the old one: forwarded while it is a `proxy`, held while it is `frozen`. */
function bindForwarded(
  found: FoundTable,
  source: TableSource,
  parts: BoundParts,
): FoundRegionTable {
  const { table } = found;
  const { consistency } = parts.space;
  const idOf = (key: OpenKey): string => encodeOpenId(rowsIdOf(table), key);
  const { forwarding, write } = createForwarded(found, source, parts);
  return {
    table,
    kind: rowsKindOf(table),
    idOf,
    rows: {
      // Both sides are read, as in the overlay: so it does not matter what became of the state meanwhile.
      get: (key) => forwarding.get(key),
      query: (query) => forwarding.query(query),
      ...writesBy(write),
      // There is one place that has it, and whoever reads it sees all that was ever seen.
      reach: async () => ({ kind: 'reached' }),
      acknowledgementOf: (version, asked) => consistency.acknowledgementOf(version, asked),
      receiptFor: async (key, version) => consistency.receiptFor(idOf(key), version),
      readReceipt: async (key, receipt) => consistency.readReceipt(idOf(key), receipt),
      whereApplied: async () => appliedIn([parts.region]),
    },
  };
}

interface Forwarded {
  readonly forwarding: OpenTable;
  /** Does a write where the table is when its turn comes: it is held while that is frozen. */
  readonly write: <O>(work: Write<O>) => Promise<O>;
}

function createForwarded({ table }: FoundTable, source: TableSource, parts: BoundParts): Forwarded {
  const { catalogue, clock, places, space, stopping, sources } = parts;
  const tableId = rowsIdOf(table);
  const lookNow = async (): Promise<FoundTable> => {
    const now = await catalogue.findNow(table.key);
    if (now?.table.generation === table.generation) return now;
    throw noTable(table.name);
  };
  const old = openOld(table, source, parts);
  const forwarding = createForwardingTable({
    store: sources.open(source.from).writes,
    table: source.table,
    tableId,
    reads: createOpenTable({
      ...space.rows,
      tableId,
      formerId: formerIdOf(table),
      policy: table.policy,
      old,
    }),
    async mayWrite() {
      const startedMs = clock.nowMs();
      const isProxy = stateOf(await lookNow()) === 'proxy';
      if (isProxy && clock.nowMs() - startedMs <= MAY_WRITE_MS) return;
      const message = `Table ${table.name} is being taken over. Try again.`;
      throw new StateChanged('TABLE_UNAVAILABLE', message, { retryAfterMs: RETRY_AFTER_MS });
    },
  });
  const hold = async <O>(work: Write<O>): Promise<O> => {
    const leave = places.take(table.key);
    try {
      const endMs = clock.nowMs() + HELD_MS_MAX;
      while (clock.nowMs() < endMs && !stopping.aborted) {
        const now = await lookNow();
        if (stateOf(now) === 'proxy') {
          const done = await unlessChanged(() => work(forwarding));
          if (done !== undefined) return done.outcome;
        } else if (stateOf(now) !== 'frozen') return await work(bindTable(now, parts).rows);
        await clock.sleep(LOOK_EVERY_MS, stopping);
      }
      throw errorUnserved(table);
    } finally {
      leave();
    }
  };
  return {
    forwarding,
    async write(work) {
      const isProxy = source.state === 'proxy';
      const done = isProxy ? await unlessChanged(() => work(forwarding)) : undefined;
      return done === undefined ? hold(work) : done.outcome;
    },
  };
}

function stateOf({ table: { source } }: FoundTable): string {
  return readable(source)?.state ?? 'unknown';
}

/** Returns undefined where nothing was done, since the table is no longer forwarded. */
async function unlessChanged<O>(
  work: () => Promise<O>,
): Promise<{ readonly outcome: O } | undefined> {
  try {
    return { outcome: await work() };
  } catch (error) {
    if (error instanceof StateChanged) return undefined;
    throw error;
  }
}

function openByName(find: () => Promise<RegionOpenTable>): RegionOpenTable {
  return {
    get: async (key) => (await find()).get(key),
    query: async (query) => (await find()).query(query),
    ...writesBy(async (work) => work(await find())),
    reach: async (...asked) => (await find()).reach(...asked),
    acknowledgementOf: async (...asked) => (await find()).acknowledgementOf(...asked),
    receiptFor: async (...asked) => (await find()).receiptFor(...asked),
    readReceipt: async (...asked) => (await find()).readReceipt(...asked),
    whereApplied: async (...asked) => (await find()).whereApplied(...asked),
  };
}
