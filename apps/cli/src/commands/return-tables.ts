/**
 * How a table goes out to the plain one that mirrors it: docs/migrate.md tells it step by step, docs/adr/0047 why so.
 *
 *     lease of the mirror ──► one pass ──► leave: the other regions take no writes ──► each has heard, and its caches have ended
 *     ──► all that they acknowledged is here ──► one pass more ──► rows written since it began, until they are few
 *     ──► hold: nor does this region ──► what it trusts has ended ──► rows written since, until nothing differs ──► left
 *     ──► the next generation is a proxy
 *
 * So clients of this region, who alone are served afterwards, wait for what is behind `hold` alone.
 *
 * Until `left` the table stays where anything goes wrong; behind it the same command, or the replicator, goes on.
 */
import {
  AppError,
  assert,
  believedPeers,
  bucketNames,
  catalogKind,
  currentTable,
  decideReturn,
  describeMove,
  isLeaving,
  isLiving,
  isMirroredStill,
  isMoving,
  type Lease,
  overlaidBy,
  type ReadSource,
  readable,
  rowsIdOf,
  rowsKindOf,
  type TableGeneration,
  type TableMirror,
  type TableSource,
  type TableStore,
  TransientError,
  UNREADABLE,
} from '@tandem/core';
import { FREEZE_MS, HOLD_MS } from '@tandem/region';
import {
  CLOCKS_MS_MAX,
  createMirrorRecord,
  createOldTable,
  createTableLease,
  MIRROR_LEASE,
  MIRROR_WRITE_MS,
  type MirrorRecord,
  mirrorChanges,
  mirrorLagMs,
  mirrorPage,
  queryOpenTable,
  readTables,
  type StatusRow,
  TABLE_TRUST_MS,
  type TableCatalogue,
} from '@tandem/storage';
import type { Command } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, NotFoundError, UsageError } from '../exit-codes.ts';
import { durationText } from '../option-values.ts';
import { findTable } from '../regions/open-writer.ts';
import {
  connectionOf,
  openAccount,
  openAllForSources,
  regionNamed,
  sourceJson,
  tellSource,
} from '../regions/plain-accounts.ts';
import { type CliRegion, readDurationMs, readOwnClock } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';

interface ReturnCommand {
  readonly region: string;
  readonly apply: boolean;
  readonly confirm?: string;
  readonly back: boolean;
}

/** By so much later than it heard, on whatever clock, a region may acknowledge a write by what it remembers. */
const KNOWN_MS = TABLE_TRUST_MS + CLOCKS_MS_MAX;

const HELP = `
The other regions take no writes to the table from the beginning, and answer 503 for it in the end: their clients take the endpoint of
this region first. Once all that they wrote is here writes are held here, for some ${Math.ceil(HOLD_MS / 1_000)} seconds and what it takes to compare the rows that
were written last; reads are answered all the time. Then the endpoint of this region forwards the table to the plain one. All ETags that clients hold die, since the
plain table has its own: whoever writes with one is answered 412, and reads again. Clients then take the plain account's own address,
one after the other. Interrupted, the same command goes on, or the replicator lets the table stay. Back: --back, until it is returned.
`;

/** Adds the command to `tandem tables`. */
export function addReturn({ act }: Pick<Cli, 'act'>, group: Command): void {
  act<ReturnCommand>(
    group
      .command('return')
      .description('hands a table over to the plain one that mirrors it')
      .argument('<table>')
      .requiredOption('--region <region>', 'the region that mirrors it')
      .option('--back', 'lets a table stay whose return was begun', false)
      .option('--apply', 'does it; only says what it would do without', false)
      .option('--confirm <region>', 'the region that mirrors it; asked for on a terminal')
      .addHelpText('after', HELP),
    giveOut,
    () => catalogKind.name,
  );
}

/** Renewed at each step; where it ends the replicator takes over what is left. */
const LEASE_MS = 30_000;
/** The replicator gives the lease up after each of its turns. */
const LEASE_WAIT_MS = 180_000;
/** How long a region may take to hear of a change of the catalogue, and its writes to come here, while writes are held. */
const HEAR_MS_MAX = 60_000;
const ARRIVE_MS_MAX = 60_000;
const LOOK_EVERY_MS = 250;
/** A page, or a round, that finds nothing to write is proven; those before it have written what was not there. */
const PROOF_TRIES_MAX = 4;
/** What is left to compare while writes are held is what was written during the round before: so few rows take no time. */
const FEW_ROWS = 1_000;
const ROUNDS_MAX = 8;
/** A store tells its time to the second. */
const STORE_TIME_MS = 1_000;
/** A mirror that is further behind than two passes and this has trouble. */
const BEHIND_MS_MAX = 120_000;

interface Leaving {
  readonly session: Session;
  readonly catalogue: TableCatalogue;
  readonly table: TableGeneration;
  readonly mirror: TableMirror;
  readonly regions: readonly CliRegion[];
  readonly home: CliRegion;
}

async function giveOut(
  session: Session,
  { region, apply, confirm, back }: ReturnCommand,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { catalogue, table } = await findTable(session, region, name);
  const nowMs = session.io.clock.nowMs();
  if (back) {
    const stay = { kind: 'stay' as const, home: region };
    // Refused as the act would be.
    decideReturn(table, stay, nowMs);
    if (!isLeaving(table.source)) {
      return tellSource(
        table,
        `No return of ${table.name} is under way: there is none to take back.`,
      );
    }
    if (!apply) return tellSource(table, `Would let ${table.name} stay. Run it with --apply.`);
    const kept = await catalogue.stepReturn(name, stay, table.generation);
    return tellSource({ ...table, source: kept }, `${table.name} stays, and takes writes.`, true);
  }
  if (readable(table.source)?.state === 'proxy')
    return settleReturned({ session, catalogue }, table, apply);
  decideReturn(table, { kind: 'leave', home: region }, nowMs);
  const mirror = readable(table.mirror);
  if (mirror === undefined) {
    throw new UsageError(`Nothing mirrors table ${table.name} that this build can read.`);
  }
  const regions = await openAllForSources(session);
  const home = regionNamed(regions, region);
  const leaving: Leaving = { session, catalogue, table, mirror, regions, home };
  const record = await requireReturnable(leaving);
  const others = regions.flatMap((one) => (one.name === region ? [] : [one.name]));
  const where = `table ${mirror.table} of ${mirror.to}`;
  if (!apply) {
    return tellSource(
      table,
      (others.length === 0
        ? ''
        : `Would take no writes to ${table.name} in ${others.join(' and ')} any more, and wait for some ${durationText(KNOWN_MS)} and ` +
          'what the slowest is behind (tandem status). ') +
        `Would hold writes to ${table.name} in ${region} for some ${await heldText(leaving, record)}, bring the last of ` +
        `${record.rows} rows to ${where}, prove them equal, and forward the table there, through ${region} alone. ` +
        (others.length === 0
          ? ''
          : `Clients of ${others.join(' and ')} are answered 503 from then on. `) +
        'Every ETag that a client holds dies. Run it with --apply.',
    );
  }
  await requireConfirmation(session, {
    region,
    what: `return the table ${table.name} to ${where}: every ETag that clients hold dies`,
    given: confirm,
  });
  return underLease(leaving, (lease) => leave(leaving, lease));
}

/** Says for how long writes wait in the region that mirrors, by how long its passes take. */
async function heldText(leaving: Leaving, { passMs }: MirrorRecord): Promise<string> {
  const isFollowed =
    (await storeFromMs(leaving)) !== undefined && (await isRecent(leaving, passMs));
  return isFollowed
    ? `${durationText(HOLD_MS)} and what it takes to compare the rows that were written last`
    : durationText(HOLD_MS + passMs);
}

/** Throws `UsageError` or `TransientError`, naming what stands in the way, before anything begins. */
async function requireReturnable(leaving: Leaving): Promise<MirrorRecord> {
  const { session, table, mirror, regions, home } = leaving;
  if (table.replicate === 'none' && regions.length > 1) {
    throw new UsageError(
      `Table ${table.name} is not replicated: each region has rows of its own, and ${home.name} mirrors only its own. Export it.`,
    );
  }
  await connectionOf(home, mirror.to);
  await requireClock(leaving);
  for (const one of regions) {
    if (await hasHeard(one, table, () => true)) continue;
    throw new UsageError(
      `${one.name} has no table ${table.name} of this generation: it has not heard of it yet, or has another. Try again.`,
    );
  }
  const tableId = rowsIdOf(table);
  const seen = await createMirrorRecord({ store: home.store, tableId }).look();
  const record = seen.kind === 'value' && seen.value.sinceMs === mirror.sinceMs ? seen.value : null;
  const own = await readOwnClock(home, session.io.clock);
  const lagMs = record && mirrorLagMs(record, own);
  if (record === null || lagMs === null) {
    throw new UsageError(
      `The mirror of ${table.name} has not been equal yet: wait, and see tandem tables mirror ${table.name}.`,
    );
  }
  if (record.refused + record.refusedBefore > 0) {
    throw new UsageError(
      `Rows of ${table.name} cannot be in the mirror, such as ${record.refusal}`,
    );
  }
  if (isLeaving(table.source)) return record;
  if (record.trouble !== '' || lagMs > 2 * record.passMs + BEHIND_MS_MAX) {
    throw new UsageError(
      `The mirror of ${table.name} is ${durationText(lagMs)} behind: see tandem tables mirror ${table.name}, and wait until it is not.`,
    );
  }
  // Only what comes by itself within the freeze can be waited for there.
  const late = await findLate(leaving, own.nowMs - ARRIVE_MS_MAX);
  if (late.length === 0) return record;
  throw new UsageError(
    `What was written in ${late.join(' and ')} a minute ago is not in ${home.name} yet: see tandem status, and wait until it is.`,
  );
}

/** Throws `UsageError` where the clock here is not that of the region: by it is told what was acknowledged before the others heard. */
async function requireClock({ session, home }: Leaving): Promise<void> {
  const { clock } = session.io;
  const askedMs = clock.nowMs();
  const storeMs = await home.store.timeMs();
  if (storeMs === undefined) return;
  const [aheadMs, behindMs] = [askedMs - storeMs - STORE_TIME_MS, storeMs - clock.nowMs()];
  if (Math.max(aheadMs, behindMs) <= CLOCKS_MS_MAX) return;
  throw new UsageError(
    `The clock here is ${durationText(Math.max(aheadMs, behindMs))} ${aheadMs > behindMs ? 'ahead of' : 'behind'} that of the store of ` +
      `${home.name}; a table is returned with ${durationText(CLOCKS_MS_MAX)} at most. Set it right.`,
  );
}

/** Holds the lease of the mirrors, so that nobody else writes to one. */
async function underLease<T>(
  leaving: Leaving,
  work: (lease: MirrorHold) => Promise<T>,
): Promise<T> {
  const { session, home, table } = leaving;
  const { clock, signal } = session.io;
  const lease = createTableLease({
    store: home.store,
    clock,
    name: MIRROR_LEASE,
    holder: session.holder,
  });
  const endMs = clock.nowMs() + LEASE_WAIT_MS;
  while (!(await lease.acquire(LEASE_MS))) {
    signal.throwIfAborted();
    if (clock.nowMs() > endMs) {
      throw new TransientError(
        'RECOVERY_BUSY',
        `Somebody else works on the mirrors of ${home.name}: a pass that does not end, or another return of a table such as ${table.name}.`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
  try {
    return await work(holdOf(leaving, lease));
  } finally {
    await lease.release();
  }
}

interface Held {
  readonly leasedUntilMs: number;
  /** As it is under the lease. */
  readonly table: TableGeneration;
}

/**
 * Renews the lease, and looks what the table is under it. Throws `RECOVERY_BUSY` where somebody else has the lease, and `UsageError`
 * where somebody had it meanwhile and the mirror is that of the table no more: he may have given it to clients.
 */
type MirrorHold = () => Promise<Held>;

function holdOf({ session, catalogue, table, mirror }: Leaving, lease: Lease): MirrorHold {
  const { clock } = session.io;
  const { name, generation } = table;
  return async () => {
    const fromMs = clock.nowMs();
    if (!(await lease.acquire(LEASE_MS))) {
      throw new TransientError(
        'RECOVERY_BUSY',
        'The lease of the mirrors was lost: the replicator works on them again. Repeat the command.',
      );
    }
    const now = (await catalogue.findNow(name))?.table;
    if (now === undefined || !isMirroredStill(now, { generation, sinceMs: mirror.sinceMs })) {
      throw new UsageError(
        `Somebody else has returned table ${name} meanwhile, or given it another mirror. Look again, without --apply.`,
      );
    }
    return { leasedUntilMs: fromMs + LEASE_MS, table: now };
  };
}

async function leave(leaving: Leaving, hold: MirrorHold): Promise<Outcome> {
  const { session, catalogue, table, mirror, home } = leaving;
  const { clock } = session.io;
  if (isLeaving(table.source) && table.source.state === 'returned') {
    return finish(leaving, table.source.rows ?? 0, 0);
  }
  // What was read before was read before the question, and the wait for the lease.
  const { source } = (await hold()).table;
  if (isLeaving(source) && source.state === 'returning') {
    // Cut off while writes were held here: they go on while the other regions are waited for once more.
    await catalogue.stepReturn(table.name, { kind: 'stay', home: home.name }, table.generation);
  }
  if (!isLeaving(source)) {
    // Before anybody is told 503: what could not be in the plain table is found by it.
    const { rows } = await passOnce(leaving, hold, { isProof: false });
    session.tell(`${rows} rows passed; the other regions take no writes from now on.`);
  }
  await hold();
  const begun = await catalogue.stepReturn(
    table.name,
    { kind: 'leave', home: home.name },
    table.generation,
  );
  assert(begun !== undefined, 'a table on its way out has a source');
  let heldFromMs = clock.nowMs();
  let rows = begun.rows ?? 0;
  if (begun.state !== 'returned') {
    try {
      if (begun.from !== mirror.to || begun.table !== mirror.table) {
        throw new UsageError(`Table ${table.name} was given another mirror meanwhile. Begin anew.`);
      }
      // Somebody may take it back while a pass goes on, and whoever writes since is not to be taken for a stranger.
      const holdIt: MirrorHold = async () => {
        const held = await hold();
        if (isLeavingSince(held.table.source, begun)) return held;
        const { move } = held.table;
        // Begun in another region at the same time: of the two the catalogue keeps one.
        const why = isMoving(move) ? describeMove(table.name, move) : 'Begin anew.';
        throw new UsageError(`The return of ${table.name} was taken back meanwhile: ${why}`);
      };
      const passed = await closeOthers(leaving, begun, holdIt);
      heldFromMs = clock.nowMs();
      rows = await bring(leaving, { begun, passed }, holdIt);
    } catch (error) {
      await letStay(leaving, begun);
      throw error;
    }
  }
  return finish(leaving, rows, clock.nowMs() - heldFromMs);
}

/** Resolves when all is here that any other region has acknowledged or will, and is in the mirror but for what came since. */
async function closeOthers(
  leaving: Leaving,
  begun: TableSource,
  hold: MirrorHold,
): Promise<Passed> {
  const { session, table, regions, home } = leaving;
  const { clock, signal } = session.io;
  await untilAll(leaving, {
    hold,
    left: async () => {
      const deaf: string[] = [];
      for (const one of regions) {
        if (!(await hasHeard(one, table, (own) => isLeavingSince(own, begun)))) deaf.push(one.name);
      }
      return deaf;
    },
    endMs: clock.nowMs() + HEAR_MS_MAX,
    what: 'have not heard that the table is on its way out',
  });
  const heardMs = clock.nowMs();
  // So that each process here, too, asks for each write anew.
  await clock.sleep(FREEZE_MS, signal);
  signal.throwIfAborted();
  const skewMs = await readDurationMs(home, 'Receipt.SkewMsMax');
  await untilAll(leaving, {
    hold,
    left: () => findLate(leaving, heardMs + Math.max(KNOWN_MS, TABLE_TRUST_MS + skewMs)),
    endMs: clock.nowMs() + ARRIVE_MS_MAX,
    what: 'have writes that have not come here',
  });
  let passed = await passOnce(leaving, hold, { isProof: false });
  for (let round = 1; canBeFollowed(passed) && round <= ROUNDS_MAX; round += 1) {
    const followed = await followOnce(leaving, passed, hold);
    passed = followed;
    if (followed.compared <= FEW_ROWS) break;
  }
  session.tell(`${passed.rows} rows passed; writes are held here, too, from now on.`);
  return passed;
}

/** Brings what the mirror does not have while nobody writes, and returns how many rows both have. */
async function bring(
  leaving: Leaving,
  { begun, passed }: { readonly begun: TableSource; readonly passed: Passed },
  hold: MirrorHold,
): Promise<number> {
  const { session, catalogue, table } = leaving;
  const { sinceMs } = begun;
  const { clock, signal } = session.io;
  await hold();
  await catalogue.stepReturn(table.name, { kind: 'hold', sinceMs }, table.generation);
  await Promise.all([clock.sleep(HOLD_MS, signal), requirePlain(leaving)]);
  signal.throwIfAborted();
  const { rows } = canBeFollowed(passed)
    ? await proveFollowed(leaving, passed, hold)
    : await passOnce(leaving, hold, { isProof: true });
  await hold();
  await catalogue.stepReturn(table.name, { kind: 'left', sinceMs, rows }, table.generation);
  return rows;
}

/** Says whether it has heard of this leaving: it may hear yet that an earlier one was taken back. */
function isLeavingSince(own: ReadSource | undefined, begun: TableSource): boolean {
  return isLeaving(own) && own.sinceMs === begun.sinceMs;
}

/** Tells whether a region has the table, of this generation, and its source is such a one. */
async function hasHeard(
  { store }: CliRegion,
  { key, generation }: TableGeneration,
  isIt: (source: TableSource | undefined) => boolean,
): Promise<boolean> {
  const own = currentTable((await readTables({ store })).get(key));
  if (own?.generation !== generation || own.source === UNREADABLE) return false;
  return isIt(own.source);
}

/** Names the regions of which something that was acknowledged before may not be here. */
async function findLate({ session, regions, home }: Leaving, beforeMs: number): Promise<string[]> {
  const driftMsMax = await readDurationMs(home, 'Clock.DriftMsMax');
  const progress = await home.status.read();
  const peers = believedPeers(progress, { nowMs: session.io.clock.nowMs(), driftMsMax });
  return regions.flatMap(({ name }) => {
    if (name === home.name) return [];
    const passedMs = peers.find(({ peer }) => peer === name)?.passedMs ?? 0;
    return passedMs > beforeMs ? [] : [name];
  });
}

interface Waiting {
  readonly hold: MirrorHold;
  /** Names the regions that are waited for. */
  readonly left: () => Promise<readonly string[]>;
  readonly endMs: number;
  readonly what: string;
}

async function untilAll(
  { session, regions }: Leaving,
  { hold, left, endMs, what }: Waiting,
): Promise<void> {
  const { clock, signal } = session.io;
  for (;;) {
    signal.throwIfAborted();
    for (const one of regions) one.beginRound();
    const names = await left();
    if (names.length === 0) return;
    if (clock.nowMs() > endMs) {
      throw new TransientError(
        'TABLE_UNAVAILABLE',
        `${names.join(' and ')} ${what}. The table stays as it was; see tandem status, and try again.`,
      );
    }
    await hold();
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** Tells of a pass over both tables, or of a round behind one, what the next round needs to know. */
interface Passed {
  /** How many rows both have. */
  readonly rows: number;
  /** When it began, by the store's own clock, or before; undefined where nobody can tell what was written since. */
  readonly fromMs: number | undefined;
}

function canBeFollowed(passed: Passed): passed is Passed & { readonly fromMs: number } {
  return passed.fromMs !== undefined;
}

/** Returns a moment before now by the clock of the store, each of whose machines may be behind the one that tells it. */
async function storeFromMs({ home }: Leaving): Promise<number | undefined> {
  const storeMs = await home.store.timeMs();
  return storeMs === undefined ? undefined : Math.max(0, storeMs - CLOCKS_MS_MAX);
}

/**
 * Goes over the rows of ours that were written since a pass or a round began, and brings what differs. Throws `UsageError` for a row
 * that is not in both as it must be.
 */
async function followOnce(
  leaving: Leaving,
  before: Passed & { readonly fromMs: number },
  hold: MirrorHold,
): Promise<Passed & { readonly compared: number; readonly settled: number }> {
  const { session, table, mirror, home } = leaving;
  const { clock, signal } = session.io;
  const fromMs = await storeFromMs(leaving);
  const faults: string[] = [];
  const { own, rows } = await openOwn(leaving, faults);
  const { store, writes } = await openPlain(leaving);
  let left: ReadonlyMap<string, string | undefined> = new Map(
    bucketNames(rows.bucketCount).map((bucket) => [bucket, undefined]),
  );
  const total = { rows: before.rows, compared: 0, settled: 0 };
  while (left.size > 0) {
    signal.throwIfAborted();
    home.beginRound();
    own.beginRound();
    const { leasedUntilMs } = await hold();
    const page = await mirrorChanges({
      rows,
      tableId: rowsIdOf(table),
      writtenFromMs: before.fromMs,
      left,
      store,
      writes,
      leasedUntilMs,
      mirror,
      clock,
    });
    if (page.refusal !== undefined) faults.push(page.refusal);
    refuseFaults(leaving, faults);
    ({ left } = page);
    total.rows += page.gained;
    total.compared += page.compared;
    total.settled += page.settled;
    session.progress.update('rows written meanwhile', total.compared);
  }
  return { ...total, fromMs };
}

/** Throws what the plain account throws: where nothing was written last nobody else would ask it, and it may be gone by now. */
async function requirePlain(leaving: Leaving): Promise<void> {
  const { store } = await openPlain(leaving);
  const partitions = { from: '', before: '\uffff' };
  await store.query({ table: leaving.mirror.table, partitions, limit: 1 });
}

/** Does so while nobody writes, until a round finds nothing to write. */
async function proveFollowed(
  leaving: Leaving,
  passed: Passed & { readonly fromMs: number },
  hold: MirrorHold,
): Promise<Passed> {
  let { rows } = passed;
  for (let nth = 1; nth <= PROOF_TRIES_MAX; nth += 1) {
    const followed = await followOnce(leaving, { ...passed, rows }, hold);
    ({ rows } = followed);
    if (followed.settled === 0) return followed;
  }
  throw unequal(leaving, 'What was written last');
}

function unequal({ table }: Leaving, what: string): UsageError {
  return new UsageError(
    `${what} of ${table.name} was not equal in the mirror after ${PROOF_TRIES_MAX} times while nobody wrote to the table: ` +
      'somebody else writes to the plain one. Find out who.',
  );
}

/** Throws `UsageError` where the plain table would not be ours. */
function refuseFaults({ table, mirror }: Leaving, [fault]: readonly string[]): void {
  if (fault === undefined) return;
  throw new UsageError(
    `The plain table ${mirror.table} would not be all of ${table.name}, and nothing else: ${fault} Mend or delete it.`,
  );
}

async function openPlain({ session, home, mirror }: Leaving) {
  const connection = await connectionOf(home, mirror.to);
  const store: TableStore = await openAccount(session, home, mirror.to);
  return { store, writes: session.io.openStore(connection, MIRROR_WRITE_MS) };
}

/**
 * Goes over both tables once, and returns how many rows ours has. A proof goes over each page again until it finds nothing to write
 * there: nobody writes to ours meanwhile. Throws `UsageError` for a row that is not in both as it must be.
 */
async function passOnce(
  leaving: Leaving,
  hold: MirrorHold,
  { isProof }: { readonly isProof: boolean },
): Promise<Passed> {
  const { session, table, mirror, home } = leaving;
  const { clock, signal } = session.io;
  const tableId = rowsIdOf(table);
  const faults: string[] = [];
  const fromMs = await storeFromMs(leaving);
  const startedMs = clock.nowMs();
  const { own, rows, old } = await openOwn(leaving, faults);
  let record: MirrorRecord | undefined;
  let tries = 0;
  const { store, writes } = await openPlain(leaving);
  for (;;) {
    signal.throwIfAborted();
    home.beginRound();
    own.beginRound();
    const { leasedUntilMs, table: now } = await hold();
    const shown = { ...rows, old: overlaidBy(now.source) && old };
    const page = await mirrorPage({
      ours: { query: (query) => queryOpenTable(query, shown) },
      tableId,
      store,
      writes,
      leasedUntilMs,
      mirror,
      record: keptIn(record),
      clock,
      onForeign: ({ partitionKey, rowKey, why }) =>
        void faults.push(
          `row ${JSON.stringify([partitionKey, rowKey])} of the plain table: ${why}`,
        ),
    });
    session.progress.update('rows', page.record.read);
    const { refused, refusal, written, deleted } = page.record;
    if (refused > 0) faults.push(refusal);
    refuseFaults(leaving, faults);
    const isEqual = written + deleted === (record?.written ?? 0) + (record?.deleted ?? 0);
    if (isProof && !isEqual) {
      tries += 1;
      if (tries < PROOF_TRIES_MAX) continue;
      throw unequal(leaving, 'A page');
    }
    tries = 0;
    ({ record } = page);
    // Of a pass that has ended the count of this one is that of the last.
    if (!page.isLast) continue;
    const isFollowed = await isRecent(leaving, clock.nowMs() - startedMs);
    return { rows: record.rows, fromMs: isFollowed ? fromMs : undefined };
  }
}

/** Tells whether all that was deleted since a pass began still has its tombstone; without one nothing tells that a row is gone. */
async function isRecent({ table, home }: Leaving, passMs: number): Promise<boolean> {
  const ageMs = table.tombstoneAgeMs ?? (await readDurationMs(home, 'Tombstone.AgeMs'));
  return passMs < ageMs / 2;
}

/** Opens the rows as the region has them; what is wrong with one is put among the faults. */
async function openOwn({ session, table, home }: Leaving, faults: string[]) {
  const { clock, randomness } = session.io;
  const kind = rowsKindOf(table);
  const tableId = rowsIdOf(table);
  const own = await session.of(kind).openOne(home.name);
  const { store, bucketCount } = own;
  const over = overlaidBy(table.source);
  const old =
    over &&
    createOldTable({
      store: await openAccount(session, home, over.from),
      table: over.table,
      tableId,
      onRefused: ({ partitionKey, rowKey, why }) =>
        void faults.push(`old row ${JSON.stringify([partitionKey, rowKey])}: ${why}`),
    });
  const rows = {
    store,
    kind,
    bucketCount,
    clock,
    randomness,
    tableId,
    onDamaged: ({ rowKey, problem }: { readonly rowKey: string; readonly problem: string }) =>
      void faults.push(`row ${rowKey}: ${problem}`),
  };
  return { own, rows, old };
}

/** Returns what is kept of the record; that of a pass that nobody goes on with is kept by who makes it. */
function keptIn(record: MirrorRecord | undefined): Pick<StatusRow<MirrorRecord>, 'look' | 'put'> {
  return {
    look: async () =>
      record === undefined ? { kind: 'none' } : { kind: 'value', value: record, etag: '' },
    put: async () => undefined,
  };
}

/** What went wrong is told by who calls; here it is told what became of the table. */
async function letStay(
  { session, catalogue, table, home }: Leaving,
  { sinceMs }: TableSource,
): Promise<void> {
  try {
    const stay = { kind: 'stay' as const, home: home.name, sinceMs };
    await catalogue.stepReturn(table.name, stay, table.generation);
    session.tell(`${table.name} stays, and takes writes.`);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    session.tell(
      `Whether ${table.name} stays or is returned is not known: ${error.message} Repeat the command, or leave it to the replicator.`,
    );
  }
}

/** Makes the proxy, and ends the generation that has left when every region has heard of the next. */
async function finish(leaving: Leaving, rows: number, heldMs: number): Promise<Outcome> {
  const { catalogue, table, mirror, home } = leaving;
  const made = await catalogue.finishReturn(table.name);
  const now = made ?? (await catalogue.findNow(table.name))?.table;
  if (now === undefined) throw new NotFoundError(`Table ${table.name} was deleted meanwhile.`);
  const settled = await settleOrTell(leaving, now);
  return {
    ...settled,
    text:
      escapeValue(
        `Returned ${table.name}: ${rows} rows are in table ${mirror.table} of ${mirror.to}, proven equal; writes were held for ` +
          `${durationText(heldMs)}. The endpoint of ${home.name} forwards to it. `,
      ) + settled.text,
    json: { applied: true, rows, heldMs, ...sourceJson(now) },
  };
}

/** There is no way back any more, so what fails now is no failure of the return, and the same command goes on. */
async function settleOrTell(leaving: Leaving, now: TableGeneration): Promise<Outcome> {
  try {
    return await settleReturned(leaving, now, true);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const text = `Whether every region has heard of it is not known: ${error.message} Repeat the command.`;
    return { ...tellSource(now, text), exitCode: EXIT.finding };
  }
}

/** Ends what a proxy has followed, where every region knows the proxy: a region that hears of the end first has no table. */
async function settleReturned(
  { session, catalogue }: Pick<Leaving, 'session' | 'catalogue'>,
  now: TableGeneration,
  apply: boolean,
): Promise<Outcome> {
  const older = (await catalogue.generations(now.name)).filter(
    (one) => isLiving(one) && one.generation < now.generation,
  );
  const { clock, signal } = session.io;
  const next =
    'Clients take the address of the plain account one after the other; when the last has, tandem tables delete ends it here.';
  if (older.length === 0) return tellSource(now, `${now.name} is forwarded. ${next}`);
  if (!apply)
    return tellSource(now, `${now.name} is returned. Run it with --apply to end what it was.`);
  const { regions } = await session.inventory();
  const endMs = clock.nowMs() + HEAR_MS_MAX;
  for (const { name } of regions) {
    const region = await session.of(catalogKind).openOne(name);
    while (!(await hasHeard(region, now, () => true))) {
      if (clock.nowMs() > endMs || signal.aborted) {
        return {
          ...tellSource(now, `${name} has not heard of it yet: repeat the command. ${next}`),
          exitCode: EXIT.finding,
        };
      }
      region.beginRound();
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }
  await catalogue.endReturned(now.name);
  return tellSource(now, next, true);
}
