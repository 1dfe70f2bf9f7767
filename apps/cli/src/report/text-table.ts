import Table from 'cli-table3';

/** Rows under a head, for a person; without colours, so that pipes get plain text. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Long lists are cut for a person; `--json` has all of it. */
export function firstRows<T>(
  items: readonly T[],
  countMax: number,
): readonly [readonly T[], string] {
  const more = items.length - countMax;
  const note = more > 0 ? `\n… and ${more} more; --json lists all of them.` : '';
  return [items.slice(0, countMax), note];
}
