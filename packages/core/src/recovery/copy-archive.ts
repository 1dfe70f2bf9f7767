import { batchesOf } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/retry.ts';
import { isBelow, latestHorizon } from '../model/horizons.ts';
import type { ArchiveKeeper, ArchiveRow, ScannedArchiveRow } from '../ports/recovery-region.ts';
import { findSuperseded } from '../retention/trim-archive.ts';
import { encodeChangeSet, plainBytesOf } from '../wire/change-set-bytes.ts';
import { joinChangeSets } from './repair-regions.ts';
import type { DamagedArchiveRow } from './replay.ts';

export interface CopyArchiveOptions {
  readonly entityKind: string;
  readonly bucket: string;
  /** Only change sets with a change of an entity whose id begins with it; all by default. */
  readonly idPrefix?: string | undefined;
  readonly from: Pick<ArchiveKeeper, 'scan'>;
  readonly into: Pick<ArchiveKeeper, 'scan' | 'put' | 'horizons'>;
  readonly onDamaged: (row: DamagedArchiveRow) => void;
  readonly onRows?: (copied: number) => void;
}

const BATCH_MAX = 500;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

const CONTENTION = { attemptsMax: 5, remedy: 'Repeat the command.' };

/**
 * Gives the archive `into` every change set of a bucket that the archive `from` has. Where both have
 * one under the same key and they differ, each change of either is kept. What is archived meanwhile is looked at
 * again, not overwritten. Where `into` was trimmed it is given of what was before only what it would have kept. Idempotent. Resolves with the rows written. Throws `WRITE_CONTENDED`.
 */
export async function copyArchive(options: CopyArchiveOptions): Promise<number> {
  let written = 0;
  return untilUncontended<number>(async () => {
    const pass = await copyOnce(options, await findTrimmed(options));
    written += pass.written;
    return pass.leftOut === 0 ? written : { contended: `The archive of bucket ${options.bucket}` };
  }, CONTENTION);
}

/** Tells of a row whether `into` has trimmed it, or would. */
type IsTrimmed = (row: ArchiveRow) => boolean;

async function findTrimmed({
  entityKind,
  bucket,
  from,
  into,
}: CopyArchiveOptions): Promise<IsTrimmed> {
  const horizons = await into.horizons(entityKind);
  if (latestHorizon(horizons) === undefined) return () => false;
  const needed = new Set<string>();
  const onNeeded = (row: ScannedArchiveRow): void => void needed.add(keyOf(row));
  const superseded = findSuperseded({ archive: from, entityKind, bucket, horizons, onNeeded });
  // Only what is needed is kept in memory: there is no more of it than there are entities.
  while ((await superseded.next()).done !== true);
  return (row) => isBelow(row.set, horizons) && !needed.has(keyOf(row));
}

async function copyOnce(
  options: CopyArchiveOptions,
  isTrimmed: IsTrimmed,
): Promise<{ readonly written: number; readonly leftOut: number }> {
  let written = 0;
  let leftOut = 0;
  const bounds = {
    countMax: BATCH_MAX,
    weightMax: BATCH_BYTES_MAX,
    weigh: ({ encoded }: ArchiveRow) => plainBytesOf(encoded),
  };
  for await (const batch of batchesOf(missingRows(options, isTrimmed), bounds)) {
    const refused = await options.into.put(batch);
    leftOut += refused.length;
    written += batch.length - refused.length;
    options.onRows?.(batch.length - refused.length);
  }
  return { written, leftOut };
}

/** Yields what `from` has and `into` has not, by reading both in the order of their keys. */
async function* missingRows(
  options: CopyArchiveOptions,
  isTrimmed: IsTrimmed,
): AsyncGenerator<ArchiveRow> {
  const { entityKind, bucket, idPrefix = '', into, onDamaged } = options;
  const span = { entityKind, bucket };
  const own = into.scan(span)[Symbol.asyncIterator]();
  const readOwn = async (): Promise<ScannedArchiveRow | undefined> => {
    const next = await own.next();
    return next.done === true ? undefined : next.value;
  };
  let head = await readOwn();
  for await (const row of options.from.scan(span)) {
    if (row.kind === 'damaged') {
      onDamaged(row);
      continue;
    }
    if (isTrimmed(row)) continue;
    if (!row.set.changes.some(({ entityId }) => entityId.startsWith(idPrefix))) continue;
    while (head !== undefined && keyOf(head) < keyOf(row)) head = await readOwn();
    const there = head !== undefined && keyOf(head) === keyOf(row) ? head : undefined;
    const wanted = missing(row, there);
    if (wanted !== undefined) yield wanted;
  }
}

/** Returns undefined when all of it is there. */
function missing(row: ArchiveRow, there: ScannedArchiveRow | undefined): ArchiveRow | undefined {
  // One that cannot be read is replaced by one that can.
  const over = { etag: there?.etag, rowCount: there?.rowCount };
  if (there === undefined || there.kind === 'damaged') return { ...row, ...over };
  if (isSameBytes(row.encoded, there.encoded)) return undefined;
  // What only stands for a change set gives way to it, and adds nothing to it: what more is known lies beside.
  if (row.isStandIn !== there.isStandIn) {
    return row.isStandIn === true ? undefined : { ...row, ...over };
  }
  const set = joinChangeSets(there.set, row.set);
  if (set === undefined) return undefined;
  const encoded = encodeChangeSet(set);
  // What is there may be deflated, so its set is compared, not its bytes.
  return isSameBytes(encoded, encodeChangeSet(there.set))
    ? undefined
    : { ...row, set, encoded, ...over };
}

/** Partition and row keys hold no character below the space. */
function keyOf({ partitionKey, rowKey }: { partitionKey: string; rowKey: string }): string {
  return `${partitionKey}\n${rowKey}`;
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
