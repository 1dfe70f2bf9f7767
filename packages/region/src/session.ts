import {
  believedPeers,
  type Clock,
  isReplicated,
  type OpenKey,
  type PeerProgress,
  type ReplicationProgress,
  TerminalError,
  TransientError,
  type TypedKind,
  tableKeyOf,
  type VersionVector,
} from '@tandem/core';
import type { OpenTable, OutcomeOf, TransactedOf } from '@tandem/storage';
import type { Consistency } from './consistency/consistency.ts';
import { createPlaces, type Places } from './consistency/places.ts';
import {
  decodeSeen,
  encodeSeen,
  joinSeen,
  NOTHING_SEEN,
  rowKeyOf,
  type Seen,
  withRow,
  withVisit,
} from './consistency/seen.ts';
import type { Wait } from './consistency/version-gate.ts';
import {
  type FoundRegionTable,
  noTable,
  type OpenTables,
  type RegionOpenTable,
} from './open-tables.ts';
import type { RegionKinds } from './region-options.ts';
import type { RegionTable } from './region-table.ts';

/** A table as one caller uses it: each call waits for what he has seen, and what it shows is seen then. */
export type SessionTable<K extends TypedKind> = Pick<
  RegionTable<K>,
  'get' | 'put' | 'patch' | 'remove' | 'transact' | 'list'
>;

/**
 * What one caller reads and writes, in whichever region: never older than what he has seen before (I9). Calls
 * throw `STATE_NOT_REACHED` when the wait is over, `OVERLOADED` where there is no place to wait, and
 * `SESSION_INVALID` for a token that no region of these can have given.
 */
export interface RegionSession<T extends RegionKinds> {
  readonly tables: {
    readonly [N in keyof T]: T[N] extends TypedKind ? SessionTable<T[N]> : OpenTable;
  };
  /** Returns a table of the catalogue, as `Region.openTable` does. */
  openTable(name: string): OpenTable;
  /** Returns all that was seen so far, to go on from in any region; at most some 8 KiB. */
  token(): string;
  /** Adds what another session has seen. Throws `SESSION_INVALID`. */
  join(token: string): void;
}

export interface SessionOptions {
  /** Continues another session, of this region or of another one; begins with nothing seen by default. */
  readonly token?: string | undefined;
  /** How long a call may wait for what was seen, in milliseconds; 2,000 by default. */
  readonly waitMs?: number;
  /** Whose places calls take while they wait; those of sessions without one by default. */
  readonly caller?: string;
}

type SharedTable =
  | { readonly form: 'typed'; readonly kind: TypedKind; readonly table: RegionTable<TypedKind> }
  /** Is one of the catalogue, by its name. */
  | { readonly form: 'open'; readonly name: string };

/** What all sessions of a process share. */
export interface SessionParts {
  readonly region: string;
  readonly peers: readonly string[];
  /** This region, its peers, and those that were once. */
  readonly regions: ReadonlySet<string>;
  readonly tables: Readonly<Record<string, SharedTable>>;
  readonly openTables: OpenTables;
  /** Reads the progress of the peers, at most so many milliseconds old. */
  readonly readProgress: (ageMsMax: number) => Promise<ReplicationProgress | undefined>;
  readonly clock: Clock;
  /** How far apart the clocks of processes may be, in milliseconds. */
  readonly skewMsMax: () => number;
  /** How far ahead of this clock another one may be, in milliseconds. */
  readonly driftMsMax: () => number;
  readonly stopping: AbortSignal;
}

const WAIT_MS_DEFAULT = 2_000;
const CALLER_DEFAULT = 'a session without a caller';
const LOOK_EVERY_MS = 250;
const WAITERS_MAX = 200;
const WAITERS_PER_CALLER_MAX = 100;
const RETRY_AFTER_MS = 1_000;

export type OpenSession = (options: SessionOptions) => RegionSession<RegionKinds>;

/** Returns what opens sessions, which share their places to wait. */
export function createSessions(parts: SessionParts): OpenSession {
  const places = createPlaces({
    what: 'sessions that wait',
    countMax: WAITERS_MAX,
    perCallerMax: WAITERS_PER_CALLER_MAX,
  });
  return (options) => new CallerSession(options, { ...parts, places });
}

type OwnParts = SessionParts & { readonly places: Places };

class CallerSession implements RegionSession<RegionKinds> {
  readonly tables: RegionSession<RegionKinds>['tables'];
  readonly #parts: OwnParts;
  readonly #waitMs: number;
  readonly #caller: string;
  #seen: Seen;

  constructor(options: SessionOptions, parts: OwnParts) {
    const { token, waitMs = WAIT_MS_DEFAULT, caller = CALLER_DEFAULT } = options;
    this.#parts = parts;
    this.#waitMs = waitMs;
    this.#caller = caller;
    this.#seen = token === undefined ? NOTHING_SEEN : checked(decodeSeen(token), parts);
    const named = Object.entries(parts.tables).map(([name, shared]) => {
      const table =
        shared.form === 'open'
          ? this.openTable(shared.name)
          : this.#tableOf(shared.kind, shared.table);
      return [name, table] as const;
    });
    this.tables = Object.fromEntries(named) as RegionSession<RegionKinds>['tables'];
  }

  openTable(name: string): OpenTable {
    tableKeyOf(name);
    const onRow = async <O>(
      key: OpenKey,
      work: (rows: RegionOpenTable) => Promise<O>,
      versionIn: (outcome: O) => VersionVector | undefined,
    ): Promise<O> => {
      const found = await this.#untilOpenRow(name, key);
      const outcome = await work(found.rows);
      this.#seeOpen(found, key, versionIn(outcome));
      return outcome;
    };
    return {
      get: (key) =>
        onRow(
          key,
          (rows) => rows.get(key),
          (record) => record?.version,
        ),
      insert: (key, values) => onRow(key, (rows) => rows.insert(key, values), versionShown),
      put: (key, values, condition) =>
        onRow(key, (rows) => rows.put(key, values, condition), versionShown),
      merge: (key, values, condition) =>
        onRow(key, (rows) => rows.merge(key, values, condition), versionShown),
      remove: (key, condition) => onRow(key, (rows) => rows.remove(key, condition), versionShown),
      transact: async (operations, request) => {
        const found = await this.#untilOpenTable(name);
        const outcome = await found.rows.transact(operations, request);
        for (const [index, version] of versionsShown(outcome)) {
          const key = operations[index];
          if (key !== undefined) this.#seeOpen(found, key, version);
        }
        return outcome;
      },
      query: async (query) => {
        const found = await this.#untilOpenTable(name);
        const page = await found.rows.query(query);
        if (!isLocal(found)) this.#visit(page.records);
        return page;
      },
    };
  }

  token(): string {
    return encodeSeen(this.#seen);
  }

  join(token: string): void {
    this.#seen = joinSeen(this.#seen, checked(decodeSeen(token), this.#parts));
  }

  #tableOf(kind: TypedKind, table: RegionTable<TypedKind>): SessionTable<TypedKind> {
    const onRow = async <O>(
      entityId: string,
      work: () => Promise<O>,
      versionIn: (outcome: O) => VersionVector | undefined,
    ): Promise<O> => {
      await this.#untilRow(table, { kindName: kind.name, entityId });
      const outcome = await work();
      this.#see(kind.name, entityId, versionIn(outcome));
      return outcome;
    };
    return {
      get: (id) =>
        onRow(
          id,
          () => table.get(id),
          (record) => record?.version,
        ),
      put: (id, entity, condition) =>
        onRow(id, () => table.put(id, entity, condition), versionShown),
      patch: (id, changes, condition) =>
        onRow(id, () => table.patch(id, changes, condition), versionShown),
      remove: (id, condition) => onRow(id, () => table.remove(id, condition), versionShown),
      transact: async (operations) => {
        // Not only the rows that it names: what they are to be with may have been seen elsewhere.
        await this.#untilAll();
        const outcome = await table.transact(operations);
        for (const [index, version] of versionsShown(outcome)) {
          const entityId = operations[index]?.entityId;
          if (entityId !== undefined) this.#see(kind.name, entityId, version);
        }
        return outcome;
      },
      list: async (limit, cursor, filter) => {
        await this.#untilAll();
        const page = await table.list(limit, cursor, filter);
        this.#visit(page.records);
        return page;
      },
    };
  }

  #see(kindName: string, entityId: string, version: VersionVector | undefined): void {
    if (version === undefined) return;
    const key = rowKeyOf(kindName, entityId);
    this.#seen = withRow(this.#seen, { key, version }, this.#here());
  }

  #seeOpen(found: FoundRegionTable, key: OpenKey, version: VersionVector | undefined): void {
    if (!isLocal(found)) this.#see(found.kind.name, found.idOf(key), version);
  }

  #visit(records: readonly Versioned[]): void {
    for (const { version } of records) {
      this.#seen = withVisit(this.#seen, version, this.#here());
    }
  }

  /** A table too may have been made where it was seen, so a row alone is waited for in one that is here already. */
  async #untilOpenRow(name: string, key: OpenKey): Promise<FoundRegionTable> {
    const { openTables } = this.#parts;
    if (needsOf(this.#seen, this.#parts).size === 0) return this.#untilOpenTable(name);
    const found = await openTables.findNow(name);
    if (found === undefined) return this.#untilOpenTable(name);
    const row = { kindName: found.kind.name, entityId: found.idOf(key) };
    if (!this.#seen.rows.has(rowKeyOf(row.kindName, row.entityId))) {
      return this.#untilOpenTable(name);
    }
    const reach = (_: string, ...asked: [VersionVector, Wait]) => found.rows.reach(key, ...asked);
    await this.#untilRow({ reach }, row);
    return found;
  }

  async #untilOpenTable(name: string): Promise<FoundRegionTable> {
    const { openTables } = this.#parts;
    const isAllHere = needsOf(this.#seen, this.#parts).size === 0;
    if (!isAllHere) await this.#untilAll();
    const found = await (isAllHere ? openTables.find(name) : openTables.findNow(name));
    if (found !== undefined) return found;
    throw noTable(name);
  }

  /** Waits for the version of a row that was met lately, which is enough, and is here as soon as it can be. */
  async #untilRow(table: Pick<Consistency, 'reach'>, { kindName, entityId }: Row): Promise<void> {
    if (needsOf(this.#seen, this.#parts).size === 0) return;
    const version = this.#seen.rows.get(rowKeyOf(kindName, entityId));
    if (version === undefined) return this.#untilAll();
    const reach = await table.reach(entityId, version, {
      waitMs: this.#waitMs,
      caller: this.#caller,
    });
    if (reach.kind === 'impossible') throw sessionInvalid(reach.why);
    if (reach.kind === 'not-reached') throw notReached(this.#parts.region, this.#waitMs);
  }

  async #untilAll(): Promise<void> {
    const needs = needsOf(this.#seen, this.#parts);
    if (needs.size === 0) return;
    const leave = this.#parts.places.take(this.#caller);
    try {
      if (await untilPassed(needs, this.#waitMs, this.#parts)) return;
    } finally {
      leave();
    }
    throw notReached(this.#parts.region, this.#waitMs);
  }

  #here(): { readonly region: string; readonly nowMs: number } {
    return { region: this.#parts.region, nowMs: this.#parts.clock.nowMs() };
  }
}

/** Names a row as replication does. */
interface Row {
  readonly kindName: string;
  readonly entityId: string;
}

/** A record, as far as a session looks at it. */
interface Versioned {
  readonly version: VersionVector;
}

/** A write that was refused shows what is there instead. */
function versionShown(outcome: OutcomeOf<Versioned>): VersionVector | undefined {
  if (outcome.kind === 'condition-failed') return outcome.current?.version;
  if (outcome.kind === 'deleted') return outcome.version;
  return 'record' in outcome ? outcome.record.version : undefined;
}

/** Returns what a transaction shows of its rows, by the places of their operations. */
function versionsShown(
  done: TransactedOf<Versioned>,
): readonly (readonly [number, VersionVector | undefined])[] {
  if (done.kind === 'refused') return [[done.index, versionShown(done.outcome)]];
  return done.outcomes.map((outcome, index) => [index, versionShown(outcome)] as const);
}

/** What no other region gets is waited for in none. */
function isLocal({ kind }: FoundRegionTable): boolean {
  return !isReplicated(kind.name);
}

/** By region, the time before which all that it acknowledged must have been applied here. */
type Needs = ReadonlyMap<string, number>;

/** What was seen here is here still, and what this region wrote too; of a former peer nothing is to come. */
function needsOf({ visits }: Seen, { region, peers }: SessionParts): Needs {
  const needs = new Map<string, number>();
  for (const [place, { timeMs, writers }] of visits) {
    if (place === region) continue;
    for (const writer of writers) {
      if (!peers.includes(writer)) continue;
      needs.set(writer, Math.max(needs.get(writer) ?? 0, timeMs));
    }
  }
  return needs;
}

async function untilPassed(needs: Needs, waitMs: number, parts: SessionParts): Promise<boolean> {
  const { clock, stopping, readProgress } = parts;
  const endMs = clock.nowMs() + waitMs;
  for (let ageMsMax = 0; ; ageMsMax = LOOK_EVERY_MS) {
    const own = { nowMs: clock.nowMs(), driftMsMax: parts.driftMsMax() };
    const progress = believedPeers(await readProgress(ageMsMax), own);
    if (arePassed(needs, progress, parts.skewMsMax())) return true;
    const leftMs = endMs - clock.nowMs();
    if (leftMs <= 0 || stopping.aborted) return false;
    await clock.sleep(Math.min(LOOK_EVERY_MS, leftMs), stopping);
  }
}

/** A watermark speaks by another clock than the one that saw, so it must be later by what they may differ. */
function arePassed(needs: Needs, progress: readonly PeerProgress[], skewMsMax: number): boolean {
  return [...needs].every(([writer, timeMs]) => {
    const passedMs = progress.find(({ peer }) => peer === writer)?.passedMs ?? 0;
    return passedMs > timeMs + skewMsMax;
  });
}

/** Waiting for what no region can have shown would last for ever. */
function checked(seen: Seen, { regions, clock, driftMsMax }: SessionParts): Seen {
  const latestMs = clock.nowMs() + driftMsMax();
  for (const [place, { timeMs, writers }] of seen.visits) {
    const stranger = [place, ...writers].find((one) => !regions.has(one));
    if (stranger !== undefined) {
      throw sessionInvalid(`it is of a region ${stranger}, which is none of these`);
    }
    if (timeMs > latestMs) throw sessionInvalid(`its time in ${place} is yet to come`);
  }
  return seen;
}

function notReached(region: string, waitMs: number): TransientError {
  const message =
    `The region ${region} did not have within ${waitMs} ms what the session has seen elsewhere. ` +
    'Ask again, wait longer, or ask where it was seen.';
  return new TransientError('STATE_NOT_REACHED', message, { retryAfterMs: RETRY_AFTER_MS });
}

function sessionInvalid(why: string): TerminalError {
  const remedy = 'Begin a new session without a token';
  return new TerminalError('SESSION_INVALID', `The session cannot go on: ${why}. ${remedy}.`);
}
