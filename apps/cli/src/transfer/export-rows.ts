/**
 * Writes the rows of a table of ours to a file or to a plain table of an account, page after page in the order of the keys,
 * each row as it is when it is read. What was cut off goes on with the page that it was at.
 */
import { existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, newestStamp, publicTimestamp, type TableStore } from '@tandem/core';
import type { OpenPage, OpenRecord, StatusRow, TransferRecord } from '@tandem/storage';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { UsageError } from '../exit-codes.ts';
import { isEmptyTable, writePlainRows } from './plain-table.ts';
import { createRowWriter, FILE_FORMATS, type FileFormat, type TransferRow } from './row-files.ts';

export interface ExportOptions {
  /** Reads one page of the table. */
  readonly readPage: (cursor: string | undefined) => Promise<OpenPage>;
  readonly rowsPerSecond: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (what: 'rows' | 'rows looked at', count: number) => void;
}

export interface ExportReport {
  readonly rows: number;
  readonly isResumed: boolean;
}

function toRow({ partitionKey, rowKey, values, version }: OpenRecord): TransferRow {
  const newest = newestStamp(version);
  const timestamp = newest === undefined ? undefined : publicTimestamp(newest);
  return { partitionKey, rowKey, values, timestamp };
}

interface PagesOptions extends ExportOptions {
  readonly from: string | undefined;
  readonly rowsBefore: number;
  readonly what: Parameters<ExportOptions['onProgress']>[0];
}

interface ExportPage {
  readonly rows: readonly TransferRow[];
  readonly rowsDone: number;
  readonly next: string | undefined;
}

async function* pagesOfTable(options: PagesOptions): AsyncGenerator<ExportPage> {
  const { readPage, clock, signal, rowsPerSecond } = options;
  let cursor = options.from;
  let rowsDone = options.rowsBefore;
  do {
    signal.throwIfAborted();
    const startedMs = clock.nowMs();
    const page = await readPage(cursor);
    const rows = page.records.map(toRow);
    rowsDone += rows.length;
    cursor = page.cursor;
    yield { rows, rowsDone, next: cursor };
    options.onProgress(options.what, rowsDone);
    const dueMs = startedMs + (rows.length / rowsPerSecond) * 1_000;
    if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), signal);
  } while (cursor !== undefined);
}

const PositionSchema = Type.Object({
  table: Type.String(),
  format: Type.Enum([...FILE_FORMATS]),
  names: Type.Array(Type.String()),
  bytes: Type.Integer({ minimum: 0 }),
  rows: Type.Integer({ minimum: 0 }),
  next: Type.String(),
});
const checkPosition = Compile(PositionSchema);
type Position = Type.Static<typeof PositionSchema>;

/**
 * Writes the table to a file, which is there when it is whole. Throws `UsageError` where there is one already, unless it is
 * to be overwritten.
 */
export async function exportToFile(
  file: {
    readonly path: string;
    readonly format: FileFormat;
    readonly overwrites: boolean;
    /** Names the table and its region: only the same export goes on. */
    readonly table: string;
  },
  options: ExportOptions,
): Promise<ExportReport> {
  const { path, format, table } = file;
  if (existsSync(path) && !file.overwrites) {
    throw new UsageError(`There is a file ${path}. Name another, or say --overwrite.`);
  }
  const part = { file: `${path}.part`, position: `${path}.position` };
  const found = readPosition(part.position);
  const begun = found?.table === table && found.format === format ? found : undefined;
  if (begun !== undefined) truncateSync(part.file, begun.bytes);
  const names = begun?.names ?? (format === 'csv' ? await namesOf(options) : []);
  const writer = createRowWriter(format, names);
  const output = await open(part.file, begun === undefined ? 'w' : 'a');
  let rows = begun?.rows ?? 0;
  try {
    let bytes = begun?.bytes ?? (await append(output, writer.head));
    const pages = { ...options, from: begun?.next, rowsBefore: rows, what: 'rows' } as const;
    for await (const page of pagesOfTable(pages)) {
      refuseNewNames(page.rows, { names, format });
      bytes += await append(output, page.rows.map((row) => writer.lineOf(row)).join(''));
      rows = page.rowsDone;
      if (page.next === undefined) continue;
      const position: Position = { table, format, names: [...names], bytes, rows, next: page.next };
      writeFileSync(part.position, JSON.stringify(position));
    }
    await output.sync();
  } finally {
    await output.close();
  }
  renameSync(part.file, path);
  rmSync(part.position, { force: true });
  return { rows, isResumed: begun !== undefined };
}

async function append(output: FileHandle, text: string): Promise<number> {
  const bytes = Buffer.from(text);
  await output.appendFile(bytes);
  return bytes.length;
}

function readPosition(path: string): Position | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return checkPosition.Check(json) ? json : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A CSV names its columns before the first row, so all rows are looked at once more. */
async function namesOf(options: ExportOptions): Promise<readonly string[]> {
  const names = new Set<string>();
  const pages = { ...options, from: undefined, rowsBefore: 0, what: 'rows looked at' } as const;
  for await (const { rows } of pagesOfTable(pages)) {
    for (const { values } of rows) for (const name of values.keys()) names.add(name);
  }
  return [...names].toSorted();
}

function refuseNewNames(
  rows: readonly TransferRow[],
  { names, format }: { readonly names: readonly string[]; readonly format: FileFormat },
): void {
  if (format !== 'csv') return;
  const known = new Set(names);
  for (const { values } of rows) {
    const name = [...values.keys()].find((one) => !known.has(one));
    if (name === undefined) continue;
    throw new UsageError(
      `A row got the property "${name}" after the columns were written. Repeat the export without the file ` +
        '.position beside it, or choose --format ndjson.',
    );
  }
}

/** Writes the table to one of an account. Throws `UsageError` for one that has rows, unless they are to be overwritten. */
export async function exportToTable(
  target: {
    readonly store: TableStore;
    readonly table: string;
    readonly account: string;
    readonly overwrites: boolean;
    readonly record: StatusRow<TransferRecord>;
  },
  options: ExportOptions,
): Promise<ExportReport> {
  const { store, table, record } = target;
  const other = `table ${table} of ${target.account}`;
  const seen = await record.look();
  const isBegun = seen.kind === 'value' && seen.value.other === other && seen.value.next !== '';
  const begun = isBegun ? seen.value : undefined;
  await store.createTable(table);
  if (begun === undefined && !target.overwrites && !(await isEmptyTable(store, table))) {
    throw new UsageError(`The ${other} has rows. Name another, or say --overwrite.`);
  }
  let rows = begun?.read ?? 0;
  const pages = { ...options, from: begun?.next, rowsBefore: rows, what: 'rows' } as const;
  for await (const page of pagesOfTable(pages)) {
    await writePlainRows({ store, table }, page.rows);
    rows = page.rowsDone;
    await record.put({ ...NOTHING, other, read: rows, next: page.next ?? '' });
  }
  return { rows, isResumed: begun !== undefined };
}

const NOTHING = { created: 0, replaced: 0, same: 0, refused: 0 };
