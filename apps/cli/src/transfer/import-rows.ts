/**
 * Writes rows of a file or of a plain table into a table of ours, as clients would: each is a write of this region, archived and
 * sent to the others. A row that is there already with the same properties is left alone, so an import that was cut off is
 * repeated without harm, and goes on where it was.
 */

import { statSync } from 'node:fs';
import { basename } from 'node:path';
import {
  AppError,
  type Clock,
  chunk,
  encodeOpenId,
  forEachBounded,
  isSameValue,
  type Properties,
  type TableStore,
} from '@tandem/core';
import type { OpenTable, StatusRow, TransferRecord } from '@tandem/storage';
import { checkProperties, TableError } from '@tandem/table-protocol';
import { UsageError } from '../exit-codes.ts';
import { readPlainPage } from './plain-table.ts';
import { type FileSource, readRowFile, type SourceRow, type TransferRow } from './row-files.ts';

export interface RowSource {
  /** Names it, and what would make it another one. */
  readonly name: string;
  /** Yields it page after page, from where `from` says; each tells where the next begins, undefined at the end. */
  pages(from: string | undefined): AsyncIterable<SourcePage>;
}

interface SourcePage {
  readonly rows: readonly SourceRow[];
  readonly next: string | undefined;
}

const FILE_PAGE_ROWS = 1_000;

/** Throws `UsageError` for a file that is not there. */
export function openFileSource(file: FileSource): RowSource {
  const bytes = statSync(file.path, { throwIfNoEntry: false })?.size;
  if (bytes === undefined) throw new UsageError(`There is no file ${file.path}.`);
  return {
    name: `file ${basename(file.path)}, ${bytes} bytes, ${file.format}`,
    async *pages(from) {
      let skip = Number(from ?? 0);
      let read = 0;
      let rows: SourceRow[] = [];
      for await (const row of readRowFile(file)) {
        read += 1;
        if (skip > 0) {
          skip -= 1;
          continue;
        }
        rows.push(row);
        if (rows.length < FILE_PAGE_ROWS) continue;
        yield { rows, next: String(read) };
        rows = [];
      }
      yield { rows, next: undefined };
    },
  };
}

export function openTableSource(plain: {
  readonly store: TableStore;
  readonly table: string;
  /** Names the account without its key. */
  readonly account: string;
}): RowSource {
  return {
    name: `table ${plain.table} of ${plain.account}`,
    async *pages(from) {
      let next = from;
      do {
        const page = await readPlainPage(plain, next);
        next = page.next;
        yield page;
      } while (next !== undefined);
    },
  };
}

interface RefusedRow {
  readonly place: string;
  readonly partitionKey?: string;
  readonly rowKey?: string;
  readonly reason: string;
}

export interface ImportReport {
  readonly read: number;
  readonly created: number;
  readonly replaced: number;
  /** Were there, with the same properties. */
  readonly same: number;
  readonly refused: number;
  /** Those of this run. */
  readonly refusals: readonly RefusedRow[];
  /** Whether it went on with an import that had been cut off. */
  readonly isResumed: boolean;
  /** Whether it ended because too many rows were refused. */
  readonly isStopped: boolean;
}

export interface ImportOptions {
  readonly source: RowSource;
  readonly tableId: string;
  /** Undefined for a look at the source alone: nothing is written. */
  readonly into:
    | {
        readonly table: Pick<OpenTable, 'insert' | 'put'>;
        readonly record: StatusRow<TransferRecord>;
      }
    | undefined;
  /** Takes the place of rows that are there and other; otherwise they stay, and are refused. */
  readonly overwrites: boolean;
  /** Begins anew where an import had been cut off. */
  readonly beginsAnew: boolean;
  readonly rowsPerSecond: number;
  /** More refusals than these end it: something is wrong with all of the source. */
  readonly refusedMax: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (read: number) => void;
  /** Is called before each page. */
  readonly onPage?: (() => void) | undefined;
}

const ROWS_AT_ONCE = 250;
const NOTHING = { read: 0, created: 0, replaced: 0, same: 0, refused: 0 };

type Counts = { -readonly [Name in keyof typeof NOTHING]: number };

/** Throws what the stores throw; what is settled by then is recorded. */
export async function importRows(options: ImportOptions): Promise<ImportReport> {
  const { source, into, clock, signal } = options;
  const seen = await into?.record.look();
  const known = seen?.kind === 'value' && seen.value.other === source.name ? seen.value : undefined;
  const begun = options.beginsAnew || known?.next === '' ? undefined : known;
  const counts: Counts = { ...NOTHING };
  if (begun !== undefined) for (const name of COUNT_NAMES) counts[name] = begun[name];
  const refusals: RefusedRow[] = [];
  const report = (isStopped: boolean): ImportReport => ({
    ...counts,
    refusals,
    isResumed: begun !== undefined,
    isStopped,
  });
  for await (const { rows, next } of source.pages(begun?.next)) {
    options.onPage?.();
    for (const part of chunk(rows, { countMax: ROWS_AT_ONCE })) {
      signal.throwIfAborted();
      const startedMs = clock.nowMs();
      refusals.push(...(await settleRows(part, counts, options)));
      options.onProgress(counts.read);
      if (refusals.length > options.refusedMax) return report(true);
      if (into === undefined) continue;
      const dueMs = startedMs + (part.length / options.rowsPerSecond) * 1_000;
      if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), signal);
    }
    await into?.record.put({ ...counts, other: source.name, next: next ?? '' });
  }
  return report(false);
}

const COUNT_NAMES = Object.keys(NOTHING) as (keyof Counts)[];

/** Settles rows side by side, and returns those that were refused, in their order. */
async function settleRows(
  rows: readonly SourceRow[],
  counts: Counts,
  options: ImportOptions,
): Promise<RefusedRow[]> {
  const refused = new Map<number, RefusedRow>();
  await forEachBounded(rows.entries(), ROWS_AT_ONCE, async ([index, one]) => {
    const reason = one.kind === 'refused' ? one.reason : await settleRow(one.row, counts, options);
    counts.read += 1;
    if (reason === undefined) return;
    counts.refused += 1;
    const key = one.kind === 'refused' ? one.key : one.row;
    refused.set(index, {
      place: one.place,
      ...(key === undefined ? {} : { partitionKey: key.partitionKey, rowKey: key.rowKey }),
      reason,
    });
  });
  return [...refused].toSorted(([a], [b]) => a - b).map(([, one]) => one);
}

/** Returns why the row cannot be here, or undefined. */
async function settleRow(
  { values, ...key }: TransferRow,
  counts: Counts,
  { into, tableId, overwrites }: ImportOptions,
): Promise<string | undefined> {
  try {
    encodeOpenId(tableId, key);
    checkProperties(values);
    if (into === undefined) return undefined;
    const outcome = await into.table.insert(key, values);
    if (outcome.kind === 'created') counts.created += 1;
    if (outcome.kind !== 'condition-failed') return undefined;
    if (isSame(values, outcome.current?.values)) counts.same += 1;
    else if (overwrites) {
      await into.table.put(key, values);
      counts.replaced += 1;
    } else return 'There is such a row, with other properties. --overwrite takes its place.';
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof TableError) return `${error.code}: ${error.message}`;
  const isOfRow =
    error instanceof AppError &&
    (error.code === 'ENTITY_INVALID' || error.code === 'TABLE_LIMIT_EXCEEDED');
  if (isOfRow) return error.message;
  throw error;
}

function isSame(values: Properties, current: Properties | undefined): boolean {
  if (current?.size !== values.size) return false;
  return [...values].every(([name, value]) => isSameValue(value, current.get(name) ?? null));
}
