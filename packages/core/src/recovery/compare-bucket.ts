import { chunk } from '../concurrency/chunk.ts';
import type { RecoveryRegion, ScannedRow } from '../ports/recovery-region.ts';
import { isCollectable, stateText } from './state-text.ts';

/** A running digest of texts, in their order; which hash it is the caller chooses. */
export interface Digest {
  update(text: string): void;
  hex(): string;
}

export interface CompareOptions {
  readonly createDigest: () => Digest;
  /** Tombstones stamped before this time, in milliseconds, count as no row. */
  readonly horizonMs: number;
  /** Told of the ids whose rows are not the same everywhere, at most `BATCH_MAX` at a time. */
  readonly onDifferent: (entityIds: readonly string[]) => Promise<void>;
  readonly onRows?: (count: number) => void;
}

export interface DamagedRow {
  readonly region: string;
  readonly bucket: string;
  readonly rowKey: string;
  readonly problem: string;
  /** No entity can have the key: nothing is missing for it. */
  readonly isForeign: boolean;
}

export interface BucketComparison {
  readonly bucket: string;
  /** By region. */
  readonly rows: ReadonlyMap<string, number>;
  /** By region. */
  readonly digests: ReadonlyMap<string, string>;
  readonly damaged: readonly DamagedRow[];
}

/** Ids told of together: as many as one transaction holds rows. */
const BATCH_MAX = 100;

/**
 * Reads one bucket of every region once, side by side in the order of the keys, so that memory does
 * not grow with the table. Writes under way show as differences: whoever is told reads them again.
 */
export async function compareBucket(
  regions: readonly RecoveryRegion[],
  bucket: string,
  options: CompareOptions,
): Promise<BucketComparison> {
  const readers = regions.map((region) => createReader(region, bucket, options));
  const different: string[] = [];
  const damaged: DamagedRow[] = [];
  const flush = async (countMin: number): Promise<void> => {
    if (different.length < countMin) return;
    for (const part of chunk(different.splice(0), { countMax: BATCH_MAX })) {
      await options.onDifferent(part);
    }
  };
  await Promise.all(readers.map((reader) => reader.advance()));
  for (;;) {
    const key = leastKey(readers.map((reader) => reader.head()?.rowKey));
    if (key === undefined) break;
    const atKey = readers.filter((reader) => reader.head()?.rowKey === key);
    // A damaged row is told of as such: nobody can say what it should be compared with.
    const isDamaged = atKey.some((reader) => reader.head()?.kind === 'damaged');
    const texts = readers.map((reader) => (atKey.includes(reader) ? reader.take(damaged) : ''));
    if (!isDamaged && new Set(texts).size > 1) different.push(...idsOf(atKey));
    options.onRows?.(atKey.length);
    await flush(BATCH_MAX);
    await Promise.all(atKey.map((reader) => reader.advance()));
  }
  await flush(1);
  return {
    bucket,
    rows: new Map(readers.map((reader) => [reader.region, reader.count()])),
    digests: new Map(readers.map((reader) => [reader.region, reader.digest()])),
    damaged,
  };
}

interface Reader {
  readonly region: string;
  head(): ScannedRow | undefined;
  /** The text of the row at the head, empty where it counts as none. */
  take(damaged: DamagedRow[]): string;
  advance(): Promise<void>;
  count(): number;
  digest(): string;
}

function createReader(
  { region, rows }: RecoveryRegion,
  bucket: string,
  { createDigest, horizonMs }: CompareOptions,
): Reader {
  const iterator = rows.scan(bucket)[Symbol.asyncIterator]();
  const digest = createDigest();
  let head: ScannedRow | undefined;
  let count = 0;
  return {
    region,
    head: () => head,
    take(damaged) {
      if (head === undefined) return '';
      if (head.kind === 'damaged') {
        const { rowKey, problem, isForeign } = head;
        damaged.push({ region, bucket, rowKey, problem, isForeign });
        return '';
      }
      if (isCollectable(head.row.state, horizonMs)) return '';
      const text = stateText(head.row.state);
      digest.update(`${head.rowKey}\n${text}\n`);
      count += 1;
      return text;
    },
    async advance() {
      const next = await iterator.next();
      head = next.done === true ? undefined : next.value;
    },
    count: () => count,
    digest: () => digest.hex(),
  };
}

function leastKey(keys: readonly (string | undefined)[]): string | undefined {
  let least: string | undefined;
  for (const key of keys) {
    if (key !== undefined && (least === undefined || key < least)) least = key;
  }
  return least;
}

/** One id, or none where every row under the key is damaged. */
function idsOf(readers: readonly Reader[]): string[] {
  for (const reader of readers) {
    const head = reader.head();
    if (head?.kind === 'row') return [head.row.entityId];
  }
  return [];
}
