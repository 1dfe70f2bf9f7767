/**
 * Copies an old table into ours, page after page in the order of the keys: docs/adr/0040. Each row that has none here gets one,
 * adopted as every region would have it; one that is here, be it a tombstone, is left alone. The rows go in the same
 * groups as those of clients, through the outbox and into the archive, so the other regions fill in the ordinary way.
 * What is settled is recorded after each page; whoever goes on from there, or does it twice, changes nothing.
 */
import {
  AppError,
  type Clock,
  OLD_REGION,
  openIdRange,
  stampTimeMs,
  type TableSource,
  TerminalError,
} from '@tandem/core';
import type { AdoptedRow, OldTable, RefusedRow } from '../read/old-table.ts';
import type { StatusRow } from '../status/status-row.ts';
import { type CopyRecord, type NamedRow, nameRows } from '../status/table-records.ts';
import type { StateTable } from './create-replicated-table.ts';

export interface CopyOptions {
  readonly states: Pick<StateTable, 'write'>;
  /** Returns the old table, which tells of the rows that it leaves out of a page. */
  readonly openOld: (onRefused: (row: RefusedRow) => void) => OldTable;
  readonly tableId: string;
  readonly source: Pick<TableSource, 'lastWrittenMs'>;
  readonly record: StatusRow<CopyRecord>;
  readonly clock: Clock;
}

export interface CopiedPage {
  readonly record: CopyRecord;
  /** Rows that were read, refused ones included. */
  readonly rows: number;
  readonly written: number;
  readonly isLast: boolean;
}

const PAGE_ROWS = 1_000;
/** By so much the time of a store may be less than it is. */
const STORE_TIME_STEP_MS = 1_000;

/**
 * Copies the next page. Throws what the stores throw, once nothing is under way any more; what was written by then is
 * found again.
 */
export async function copyPage(options: CopyOptions): Promise<CopiedPage> {
  const { tableId, clock } = options;
  const seen = await options.record.look();
  const nowMs = clock.nowMs();
  const known: CopyRecord = seen.kind === 'value' ? seen.value : { ...NOTHING, startedMs: nowMs };
  const whole = openIdRange(tableId, { partitionKey: {}, rowKey: {} });
  let range: typeof whole | undefined =
    known.behind === '' ? whole : { ...whole, from: { value: known.behind, isIncluded: false } };
  let continuation: string | undefined;
  const refused: NamedRow[] = [];
  const old = options.openOld((row) => void refused.push(row));
  const rows: AdoptedRow[] = [];
  do {
    const page = await old.page({ range, limit: PAGE_ROWS, continuation, where: undefined });
    rows.push(...page.rows);
    range = page.rest;
    continuation = page.continuation;
    // A page of a store may give nothing and not be the last.
  } while (range !== undefined && rows.length === 0 && refused.length === 0);
  const settled = await settleRows(rows, options);
  const record: CopyRecord = {
    behind: range?.from.value ?? known.behind,
    startedMs: known.startedMs,
    updatedMs: clock.nowMs(),
    read: known.read + rows.length + refused.length,
    written: known.written + settled.written,
    refusedCount: known.refusedCount + refused.length + settled.refused.length,
    refused: nameRows(known.refused, [...refused, ...settled.refused]),
    strayCount: known.strayCount + settled.stray.length,
    stray: nameRows(known.stray, settled.stray),
    trouble: '',
  };
  await options.record.put(record);
  const count = rows.length + refused.length;
  return { record, rows: count, written: settled.written, isLast: range === undefined };
}

/** Begins anew: what could not be copied may be now. */
export async function restartCopy({
  record,
  clock,
}: Pick<CopyOptions, 'record' | 'clock'>): Promise<void> {
  const nowMs = clock.nowMs();
  await record.put({ ...NOTHING, startedMs: nowMs, updatedMs: nowMs });
}

const NOTHING: CopyRecord = {
  behind: '',
  startedMs: 0,
  updatedMs: 0,
  read: 0,
  written: 0,
  refusedCount: 0,
  refused: [],
  strayCount: 0,
  stray: [],
  trouble: '',
};

interface Settled {
  readonly written: number;
  readonly refused: readonly NamedRow[];
  readonly stray: readonly NamedRow[];
}

type Settlement =
  | { readonly kind: 'written' | 'there' }
  | { readonly kind: 'refused' | 'failed'; readonly error: unknown };

async function settleRows(rows: readonly AdoptedRow[], options: CopyOptions): Promise<Settled> {
  const stray: NamedRow[] = [];
  const done = await Promise.all(rows.map((row) => settleRow(row, stray, options)));
  const failed = done.find((one) => one.kind === 'failed');
  if (failed?.kind === 'failed') throw failed.error;
  const refused = rows.flatMap(({ partitionKey, rowKey }, index) => {
    const one = done[index];
    if (one?.kind !== 'refused') return [];
    return [{ partitionKey, rowKey, why: one.error instanceof Error ? one.error.message : '' }];
  });
  return { written: done.filter(({ kind }) => kind === 'written').length, refused, stray };
}

/** Never rejects: whatever becomes of one row, the others are settled too. */
async function settleRow(
  { entityId, state, ...key }: AdoptedRow,
  stray: NamedRow[],
  { states, source }: CopyOptions,
): Promise<Settlement> {
  const stamp = state.vector.get(OLD_REGION);
  const lateMs = (source.lastWrittenMs ?? Number.POSITIVE_INFINITY) + STORE_TIME_STEP_MS;
  const isLate = stamp !== undefined && stampTimeMs(stamp) > lateMs;
  if (isLate) stray.push({ ...key, why: 'It was written past us after the table was taken over.' });
  try {
    const write = { kind: 'adopt' } as const;
    const outcome = await states.write({ entityId, write, condition: undefined, adopted: state });
    if (outcome.kind === 'created') return { kind: 'written' };
    const own =
      outcome.kind === 'condition-failed'
        ? outcome.current?.state.vector.get(OLD_REGION)
        : undefined;
    if (!isLate && own !== undefined && own !== stamp) {
      stray.push({ ...key, why: 'It is another than the one that is here already.' });
    }
    return { kind: 'there' };
  } catch (error) {
    const isOfRow =
      error instanceof TerminalError &&
      (error.code === 'TABLE_LIMIT_EXCEEDED' || error.code === 'ENTITY_INVALID');
    if (!isOfRow && !(error instanceof AppError)) throw error;
    return { kind: isOfRow ? 'refused' : 'failed', error };
  }
}
