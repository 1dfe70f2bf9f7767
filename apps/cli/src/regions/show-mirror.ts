import { catalogKind, MIRROR_UNREADABLE, rowsIdOf, type TableGeneration } from '@tandem/core';
import { createMirrorRecord, mirrorLagMs } from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { durationText } from '../option-values.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';

/** Tells how far the mirror that a table has is behind the region that keeps it. */
export async function showMirror(session: Session, table: TableGeneration): Promise<Outcome> {
  const { mirror: kept } = table;
  if (kept === undefined || kept === MIRROR_UNREADABLE) {
    throw new UsageError(
      `A newer build wrote how table ${table.name} is mirrored: use its tandem command.`,
    );
  }
  const { store } = await session.of(catalogKind).openAsIs(kept.home);
  const tableId = rowsIdOf(table);
  const seen = await createMirrorRecord({ store, tableId }).look();
  const record = seen.kind === 'value' && seen.value.sinceMs === kept.sinceMs ? seen.value : null;
  const lagMs = record === null ? null : mirrorLagMs(record, session.io.clock.nowMs());
  const rowsPerSecond =
    record === null || record.passMs === 0
      ? null
      : Math.round((record.rows / record.passMs) * 1_000);
  const refused = record === null ? 0 : Math.max(record.refused, record.refusedBefore);
  const lines = [
    `Table ${kept.table} of ${kept.to} mirrors ${table.name} of ${kept.home}` +
      (lagMs === null
        ? ', whose rows are not all there yet.'
        : `, ${durationText(lagMs)} behind it at most.`),
    ...(record === null
      ? []
      : [
          `Passes: ${record.passes}. Rows: ${record.rows}; ${record.written} written, ${record.deleted} deleted.` +
            (rowsPerSecond === null ? '' : ` The last pass: ${rowsPerSecond} rows/s.`),
        ]),
    ...(refused === 0 ? [] : [`Not there: ${refused} rows, such as ${record?.refusal}`]),
    ...(record?.trouble ? [`It waits: ${record.trouble}`] : []),
  ];
  return {
    text: lines.map(escapeValue).join('\n'),
    json: { table: table.name, mirror: kept, lagMs, rowsPerSecond, progress: record },
    exitCode: refused > 0 || record?.trouble ? EXIT.finding : EXIT.ok,
  };
}
