import { createHash } from 'node:crypto';
import {
  type Archive,
  type ArchiveKey,
  type Clock,
  type FragmentHead,
  type FragmentKeeper,
  isBelievable,
  isStamp,
  joinFragments,
  type Notices,
  type OwnClock,
  pagesOf,
  setKeyOf,
  stampTimeMs,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import { toDeletions, toFragment, toFragmentColumns } from '../rows/set-rows.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';

/**
 * The rows of `Replication` in which fragments of change sets wait for the others of their set (docs/adr/0042):
 *
 *     fragments   <kind>-<bucket>~<stamp>~<a hash of what all fragments of the set say of it>~<number>
 *
 * By the hash fragments that disagree lie apart, so a forged one keeps no set from becoming whole.
 */
export const FRAGMENTS_PARTITION = 'fragments';

const PAGE_ROWS = 500;
const HASH_LENGTH = 32;
const KEPT_AT = 'keptMs';
const COUNT = 'of';

export interface TableFragmentsOptions {
  readonly store: TableStore;
  readonly archive: Pick<Archive, 'has'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Keeps what of large change sets has come, and what has not, in this region's store. */
export function createTableFragments({
  store,
  archive,
  clock,
}: TableFragmentsOptions): FragmentKeeper {
  return {
    async keep(fragment) {
      const start = startOf(fragment);
      const rowKey = `${start}${String(fragment.index).padStart(2, '0')}`;
      const properties = new Map([
        [KEPT_AT, { type: 'Int64', value: BigInt(Math.trunc(clock.nowMs())) } as const],
        [COUNT, { type: 'Int32', value: fragment.count } as const],
        ...toFragmentColumns(fragment),
      ]);
      await commit(store, [{ kind: 'upsert', rowKey, properties }]);
      const kept = await rowsFrom(store, start, 'keys');
      // Whoever applied the set meanwhile may take the rows away between the two reads.
      const rows = kept.length === fragment.count ? await rowsFrom(store, start, 'all') : [];
      if (rows.length === fragment.count) {
        const fragments = rows.flatMap(({ properties }) => toFragment(properties) ?? []);
        return { kind: 'whole', encoded: joinFragments(fragments) };
      }
      if (!(await archive.has(fragment))) return { kind: 'incomplete' };
      await dropFrom(store, start);
      return { kind: 'known' };
    },
    drop: (set) => dropFrom(store, startOf(set)),
  };
}

function startOf(head: FragmentHead): string {
  const { entityKind, bucket, stamp } = head;
  const hash = createHash('sha256').update(setKeyOf(head)).digest('hex').slice(0, HASH_LENGTH);
  return `${entityKind}-${bucket}~${stamp}~${hash}~`;
}

/** Says of a set how much of it has come. */
interface KeptSet extends ArchiveKey {
  readonly start: string;
  readonly rows: number;
  readonly count: number;
  /** Is when the first of its rows was written, in milliseconds since the epoch, by the clock of who did. */
  readonly keptMs: number;
}

export interface TidyFragmentsOptions extends TableFragmentsOptions {
  /** Is the setting `Clock.DriftMsMax`: a time further ahead of the clock is not believed. */
  readonly driftMsMax: number;
  readonly notices: Pick<Notices, 'note'>;
  /** In milliseconds, a week by default: an operator may put back what was dead-lettered of a set until then. */
  readonly keepMs?: number;
  /** Rows kept at most, 20,000 by default: what is oldest goes first. */
  readonly rowsMax?: number;
}

/** Fragments come within seconds of each other. */
const LATE_MS = 60_000;
const KEEP_MS = 7 * 86_400_000;
const ROWS_MAX = 20_000;

/**
 * Takes away what is left of sets that were applied, names those that do not become whole, and gives up the ones that
 * have not for so long that nobody will mend them. Resolves with the sets given up.
 */
export async function tidyFragments(
  options: TidyFragmentsOptions,
): Promise<readonly Pick<KeptSet, 'entityKind' | 'bucket' | 'stamp'>[]> {
  const { store, archive, clock, notices, driftMsMax } = options;
  const { keepMs = KEEP_MS, rowsMax = ROWS_MAX } = options;
  const nowMs = clock.nowMs();
  const sets = await readKeptSets(store);
  const isDoubtful = (set: KeptSet): boolean =>
    nowMs - sinceMsOf(set, { nowMs, driftMsMax }) >= keepMs;
  // Its sender was told that it is here, so that it goes by no clock that is far ahead.
  const storeMs = sets.some(isDoubtful) ? await store.timeMs() : undefined;
  const latest = { nowMs: Math.max(nowMs, storeMs ?? nowMs), driftMsMax };
  const aged = sets.map((set) => ({ ...set, sinceMs: sinceMsOf(set, latest) }));
  const given: KeptSet[] = [];
  let rows = 0;
  for (const set of aged.toSorted((a, b) => b.sinceMs - a.sinceMs)) {
    rows += set.rows;
    // One of a clock that was ahead is as old as nobody knows.
    const isLate = Math.abs(nowMs - set.sinceMs) >= LATE_MS;
    // Of a set whose others are still on their way nothing goes, however many came at once.
    if (!isLate) continue;
    const isOld = storeMs !== undefined && storeMs - set.sinceMs >= keepMs;
    const isOver = isOld || rows > rowsMax;
    if (await archive.has(set)) {
      await dropFrom(store, set.start);
      continue;
    }
    const { entityKind, bucket, stamp, count } = set;
    const since = new Date(set.sinceMs).toISOString();
    const what = `${set.rows} of ${count} fragments have come since ${since}`;
    const fate = isOver ? '; they are given up: verify, and repair where rows differ' : '';
    notices.note('fragments-incomplete', `${entityKind}/${bucket}/${stamp}`, `${what}${fate}`);
    if (!isOver) continue;
    await dropFrom(store, set.start);
    given.push(set);
  }
  return given;
}

/**
 * Returns since when a set is here, and no earlier than it was made: the later of the two times that can be true by
 * `own`, and the beginning of time where neither can. A clock that is ahead, or a forger, may have said either.
 */
function sinceMsOf({ keptMs, stamp }: KeptSet, own: OwnClock): number {
  const claims = [keptMs, stampTimeMs(stamp)].filter((one) => isBelievable(one, own));
  return Math.max(0, ...claims);
}

/** Tells whether fragments of any set of the bucket wait for others. */
export async function hasFragmentsOf(
  store: Pick<TableStore, 'query'>,
  { entityKind, bucket }: Pick<ArchiveKey, 'entityKind' | 'bucket'>,
): Promise<boolean> {
  return (await rowsFrom(store, `${entityKind}-${bucket}~`, 'keys')).length > 0;
}

const KEY = /^(([A-Za-z][A-Za-z0-9]*)-([0-9a-f]{2})~([^~]+)~[0-9a-f]{32}~)\d{2}$/;

async function readKeptSets(store: TableStore): Promise<readonly KeptSet[]> {
  const sets = new Map<string, KeptSet>();
  for (const { rowKey, properties } of await rowsFrom(store, '', 'keys')) {
    const [, start, entityKind, bucket, stamp] = KEY.exec(rowKey) ?? [];
    if (start === undefined || entityKind === undefined || bucket === undefined) continue;
    if (!isStamp(stamp)) continue;
    const keptAt = properties.get(KEPT_AT);
    const count = properties.get(COUNT);
    const keptMs = keptAt?.type === 'Int64' ? Number(keptAt.value) : 0;
    const before = sets.get(start);
    sets.set(start, {
      start,
      entityKind,
      bucket,
      stamp,
      rows: (before?.rows ?? 0) + 1,
      count: count?.type === 'Int32' ? count.value : 0,
      keptMs: Math.min(before?.keptMs ?? keptMs, keptMs),
    });
  }
  return [...sets.values()];
}

async function rowsFrom(
  store: Pick<TableStore, 'query'>,
  start: string,
  what: 'keys' | 'all',
): Promise<readonly TableRow[]> {
  const range = {
    table: REPLICATION_TABLE,
    partitions: FRAGMENTS_PARTITION,
    ...(start === '' ? {} : { rowsFrom: start, rowsBefore: `${start}~` }),
    ...(what === 'keys' && { select: new Set([KEPT_AT, COUNT]) }),
    limit: PAGE_ROWS,
  };
  const found: TableRow[] = [];
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    found.push(...rows);
  }
  return found;
}

/** All in one transaction, or one by one where another process is at it too. */
async function dropFrom(store: TableStore, start: string): Promise<void> {
  const keys = (await rowsFrom(store, start, 'keys')).map(({ rowKey }) => rowKey);
  if (keys.length === 0 || (await commit(store, toDeletions(keys)))) return;
  for (const rowKey of keys) await commit(store, toDeletions([rowKey]));
}

async function commit(
  store: TableStore,
  operations: Parameters<TableStore['commit']>[0]['operations'],
): Promise<boolean> {
  const place = { table: REPLICATION_TABLE, partitionKey: FRAGMENTS_PARTITION };
  return (await store.commit({ ...place, operations })).kind === 'committed';
}
