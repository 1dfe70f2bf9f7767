/**
 * Proves of a table that was taken over that every row of the old one is in every region: as it was there where nobody has
 * written it since, else as somebody wrote or deleted it. Reads only; may be cut off anywhere and done again.
 */
import { createHash } from 'node:crypto';
import {
  adoptionOf,
  type EntityState,
  type FieldValue,
  isAlive,
  isSameValue,
  newestStamp,
  openIdRange,
  type Replica,
} from '@tandem/core';
import type { AdoptedRow, OldTable, RefusedRow } from '../read/old-table.ts';
import { type NamedRow, nameRows } from '../status/table-records.ts';

/** Says what became of an old row in one region. */
type CopyVerdict = 'untouched' | 'changed' | 'deleted' | 'different' | 'missing';

/** Judges one old row by what a region has under its keys. */
function judgeCopy(old: EntityState, own: EntityState | undefined): CopyVerdict {
  if (own === undefined) return 'missing';
  if (adoptionOf(own) === undefined) return isAlive(own) ? 'changed' : 'deleted';
  return isSame(old, own) ? 'untouched' : 'different';
}

function isSame(a: EntityState, b: EntityState): boolean {
  if (newestStamp(a.vector) !== newestStamp(b.vector) || a.fields.size !== b.fields.size) {
    return false;
  }
  return [...a.fields].every(([name, { value }]) => {
    const other = b.fields.get(name)?.value ?? null;
    return (
      value !== null && other !== null && value.type === other.type && isSameValue(value, other)
    );
  });
}

interface VerifyCopyOptions {
  /** Returns the old table, which tells of the rows that it leaves out of a page. */
  readonly openOld: (onRefused: (row: RefusedRow) => void) => OldTable;
  readonly tableId: string;
  readonly regions: readonly {
    readonly name: string;
    readonly replica: Pick<Replica, 'read' | 'bucketOf'>;
  }[];
  readonly signal: AbortSignal;
  readonly onPage: (rows: number) => void;
}

interface RegionCopy {
  readonly name: string;
  readonly counts: Readonly<Record<CopyVerdict, number>>;
}

export interface CopyReport {
  /** Counts the old rows. */
  readonly rows: number;
  /** Counts rows by the region that has done most to them: nowhere else they can be untouched for long. */
  readonly untouched: number;
  readonly changed: number;
  readonly deleted: number;
  /** Is of all old rows, keys and properties, in their order. */
  readonly digest: string;
  readonly regions: readonly RegionCopy[];
  /** Rows that keep it from being proven. */
  readonly faultCount: number;
  readonly faults: readonly NamedRow[];
}

const PAGE_ROWS = 1_000;
const DIGEST_LENGTH = 32;

/** Throws what the stores throw. */
export async function verifyCopy(options: VerifyCopyOptions): Promise<CopyReport> {
  const { tableId, signal } = options;
  const digest = createHash('sha256');
  const tally = { rows: 0, untouched: 0, changed: 0, deleted: 0, faultCount: 0 };
  let faults: NamedRow[] = [];
  const fault = (...found: readonly NamedRow[]): void => {
    tally.faultCount += found.length;
    faults = nameRows(faults, found);
  };
  const byRegion = options.regions.map(({ name }) => ({
    name,
    counts: { untouched: 0, changed: 0, deleted: 0, different: 0, missing: 0 },
  }));
  const old = options.openOld((row) => {
    tally.rows += 1;
    fault(row);
  });
  let range: ReturnType<typeof openIdRange> | undefined = openIdRange(tableId, {
    partitionKey: {},
    rowKey: {},
  });
  let continuation: string | undefined;
  while (range !== undefined) {
    signal.throwIfAborted();
    const page = await old.page({ range, limit: PAGE_ROWS, continuation, where: undefined });
    const verdicts = await Promise.all(
      options.regions.map(({ replica }) => judgePage(page.rows, replica)),
    );
    for (const [index, row] of page.rows.entries()) {
      digest.update(textOf(row));
      tally.rows += 1;
      const own = verdicts.map((of) => of[index] ?? 'missing');
      for (const [place, verdict] of own.entries()) byRegion[place]!.counts[verdict] += 1;
      const most = mostOf(own);
      if (most === 'missing' || most === 'different') {
        const where = byRegion.filter((_, place) => own[place] === most).map(({ name }) => name);
        const { partitionKey, rowKey } = row;
        fault({ partitionKey, rowKey, why: `It is ${most} in ${where.join(', ')}.` });
      } else tally[most] += 1;
    }
    options.onPage(tally.rows);
    range = page.rest;
    continuation = page.continuation;
  }
  return {
    ...tally,
    digest: digest.digest('hex').slice(0, DIGEST_LENGTH),
    regions: byRegion,
    faults,
  };
}

async function judgePage(
  rows: readonly AdoptedRow[],
  replica: VerifyCopyOptions['regions'][number]['replica'],
): Promise<readonly CopyVerdict[]> {
  const found = new Map<string, EntityState>();
  const byBucket = Map.groupBy(rows, ({ entityId }) => replica.bucketOf(entityId));
  await Promise.all(
    [...byBucket].map(async ([bucket, own]) => {
      const ids = own.map(({ entityId }) => entityId);
      for (const [id, { state }] of await replica.read(bucket, ids)) found.set(id, state);
    }),
  );
  return rows.map(({ entityId, state }) => judgeCopy(state, found.get(entityId)));
}

/** The worst counts; of what somebody has done since, the deletion. */
const RANKS = ['untouched', 'changed', 'deleted', 'different', 'missing'] as const;

function mostOf(verdicts: readonly CopyVerdict[]): CopyVerdict {
  return RANKS[Math.max(...verdicts.map((one) => RANKS.indexOf(one)))] ?? 'missing';
}

function textOf({ entityId, state }: AdoptedRow): string {
  const fields = [...state.fields].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const values = fields.map(([name, { value }]) => [name, value?.type, value && toText(value)]);
  return `${JSON.stringify([entityId, newestStamp(state.vector), values])}\n`;
}

function toText(value: FieldValue): string {
  return value.type === 'Binary'
    ? Buffer.from(value.value).toString('base64')
    : Object.is(value.value, -0)
      ? '-0'
      : String(value.value);
}
