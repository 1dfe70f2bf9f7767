// Accounts of plain tables, as the regions have them in `Tables.Sources`; and what is told of a table whose rows come from there
// or are mirrored there.
import {
  ADOPTED_WIRE_VERSION,
  catalogKind,
  formatGeneration,
  readable,
  rowsIdOf,
  type TableGeneration,
  type TableStore,
} from '@tandem/core';
import {
  createMirrorRecord,
  createRetriedStore,
  mirrorLagMs,
  tandemSettings,
} from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { durationText } from '../option-values.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';
import { type CliRegion, readOwnClock, readSettingText, readWireVersion } from './region.ts';

/** Returns how a region reaches an account. Throws `UsageError`, naming what is missing. */
export async function connectionOf(region: CliRegion, name: string): Promise<string> {
  const text = await readSettingText(region, 'Tables.Sources');
  const parsed = text === undefined ? undefined : tandemSettings['Tables.Sources'].parse(text);
  const connection = parsed?.kind === 'value' ? parsed.value?.get(name)?.reveal() : undefined;
  if (connection !== undefined) return connection;
  throw new UsageError(
    `${region.name} knows no source "${name}": set Tables.Sources there (tandem config set), in every region.`,
  );
}

/** Opens an account; what fails for a moment is repeated. */
export async function openAccount(
  { io }: Pick<Session, 'io'>,
  region: CliRegion,
  name: string,
): Promise<TableStore> {
  return createRetriedStore(io.openStore(await connectionOf(region, name)), io);
}

/** Opens all regions. Throws `UsageError` for one that could not read how such a table is, before anything begins. */
export async function openAllForSources(session: Session): Promise<readonly CliRegion[]> {
  const { regions } = await session.inventory();
  const opened: CliRegion[] = [];
  for (const { name } of regions) {
    const region = await session.of(catalogKind).openOne(name);
    const wire = await readWireVersion(region);
    if (wire < ADOPTED_WIRE_VERSION) {
      throw new UsageError(
        `${name} has Messages.WireVersion ${wire}, and a table is taken over or mirrored from ${ADOPTED_WIRE_VERSION} on: ` +
          'upgrade every process of every region, then raise it everywhere.',
      );
    }
    opened.push(region);
  }
  return opened;
}

/** Returns one of the regions. Throws `UsageError` where it is not among them, as the home of a table may not be. */
export function regionNamed(regions: readonly CliRegion[], name: string): CliRegion {
  const region = regions.find((one) => one.name === name);
  if (region === undefined) throw new UsageError(`There is no region ${name} in the inventory.`);
  return region;
}

/** Tells of a table whose rows come from elsewhere, or go there, and whether anything was done. */
export function tellSource(table: TableGeneration, text: string, applied = false): Outcome {
  return { text: escapeValue(text), json: { applied, ...sourceJson(table) } };
}

/** Tells a program which generation of a table it is and where its rows come from; null where that is here, or cannot be read. */
export function sourceJson({
  name,
  generation,
  source,
}: TableGeneration): Readonly<Record<string, unknown>> {
  return {
    table: name,
    generation: formatGeneration(generation),
    source: readable(source) ?? null,
  };
}

/** Tells how far the mirror that a table has is behind the region that keeps it. */
export async function showMirror(session: Session, table: TableGeneration): Promise<Outcome> {
  const kept = readable(table.mirror);
  if (kept === undefined) {
    throw new UsageError(
      `A newer build wrote how table ${table.name} is mirrored: use its tandem command.`,
    );
  }
  const region = await session.of(catalogKind).openAsIs(kept.home);
  const { store } = region;
  const tableId = rowsIdOf(table);
  const seen = await createMirrorRecord({ store, tableId }).look();
  const record = seen.kind === 'value' && seen.value.sinceMs === kept.sinceMs ? seen.value : null;
  const lagMs =
    record === null ? null : mirrorLagMs(record, await readOwnClock(region, session.io.clock));
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
