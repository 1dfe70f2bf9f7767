// What is told of a table that moves to another space, or has: docs/adr/0044.
import {
  catalogKind,
  currentTable,
  describeMove,
  isMoving,
  rowsIdOf,
  type TableGeneration,
  type TableMove,
} from '@tandem/core';
import { createMoveRecord, type MoveRecord, movePaceOf, readTables } from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { durationText } from '../option-values.ts';
import { escapeValue } from '../report/escape-text.ts';
import { textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

/**
 * Tells of a table that moves, or has, what the regions know of it, and how far each is with what is brought over. Throws what
 * opening one of them throws.
 */
export async function showMove(
  session: Session,
  table: TableGeneration & { readonly move: TableMove },
  names: readonly string[],
): Promise<Outcome> {
  const { name, move } = table;
  const regions: Record<string, RegionMove> = {};
  for (const one of names) {
    const { store } = await session.of(catalogKind).openAsIs(one);
    const own = currentTable((await readTables({ store })).get(table.key));
    const known = own?.generation === table.generation ? own.move : undefined;
    const seen = await createMoveRecord({ store, tableId: rowsIdOf(table) }).look();
    const isOfThis = seen.kind === 'value' && seen.value.sinceMs === move.sinceMs;
    const progress = isOfThis ? { ...seen.value, ...movePaceOf(seen.value) } : null;
    regions[one] = { state: known?.state ?? 'not heard', progress };
  }
  const text = isMoving(move)
    ? `Table ${name}: ${describeMove(name, move)}`
    : `${name} lies in ${move.to} since ${timeText(move.sinceMs)}.`;
  const rows = Object.entries(regions).map(([one, { state, progress }]) => [
    one,
    one === move.home ? `${state} (home)` : state,
    ...describeProgress(progress),
  ]);
  const head = ['region', 'state', 'brought over', 'done', 'rows/s', 'left'];
  return {
    text: [escapeValue(text), ...(isMoving(move) ? [textTable(head, rows)] : [])].join('\n'),
    json: { table: name, move, regions },
  };
}

interface RegionMove {
  readonly state: string;
  /** Null where the region has brought over nothing yet. */
  readonly progress: (MoveRecord & ReturnType<typeof movePaceOf>) | null;
}

function describeProgress(progress: RegionMove['progress']): string[] {
  if (progress === null) return ['', '', '', ''];
  const { rows, archived, partsDone, parts, rowsPerSecond, leftMs } = progress;
  return [
    `${rows} rows, ${archived} change sets`,
    `${Math.floor((100 * partsDone) / parts)} %`,
    rowsPerSecond === null ? '' : String(rowsPerSecond),
    leftMs === null ? '' : durationText(leftMs === 0 ? 0 : Math.max(1_000, leftMs)),
  ];
}

/** Tells whether it moves, or has moved. */
export function hasMoved(
  table: TableGeneration | undefined,
): table is TableGeneration & { readonly move: TableMove } {
  return table?.move !== undefined;
}
