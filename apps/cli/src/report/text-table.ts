import Table from 'cli-table3';
import { escapeValue } from './escape-text.ts';

/** A value, or a cell of several lines. */
export type Cell = string | readonly string[];

/**
 * Draws rows under a head, without colours, so that pipes get plain text, and with values escaped.
 */
export function textTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => row.map(textOfCell)));
  return table.toString();
}

function textOfCell(cell: Cell): string {
  return typeof cell === 'string' ? escapeValue(cell) : cell.map(escapeValue).join('\n');
}

/**
 * Writes an instant in UTC; what no calendar reaches, as damage may say, as the number that it is.
 */
export function timeText(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? `${timeMs} ms` : time.toISOString();
}

/** Cuts a long list for a person; `--json` has all of it. */
export function firstRows<T>(
  items: readonly T[],
  countMax: number,
): readonly [readonly T[], string] {
  const more = items.length - countMax;
  const note = more > 0 ? `\n… and ${more} more; --json lists all of them.` : '';
  return [items.slice(0, countMax), note];
}
