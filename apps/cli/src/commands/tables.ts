import {
  catalogKind,
  checkSettings,
  decideCreate,
  decideRestore,
  formatGeneration,
  type Horizons,
  KEEP_SETTINGS,
  latestHorizon,
  NO_HORIZONS,
  readGeneration,
  rowsIdOf,
  rowsKindOf,
  type TableGeneration,
  type TableSettings,
} from '@tandem/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, NotFoundError, UsageError } from '../exit-codes.ts';
import { duration, durationText } from '../option-values.ts';
import { findTable, openCatalogue } from '../regions/open-writer.ts';
import { readDurationMs, readOptionalMs } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { hasMoved, showMove } from '../regions/show-move.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface TablesOptions {
  readonly region: string;
  readonly apply: boolean;
  readonly confirm?: string;
  readonly policy?: TableSettings['policy'];
  readonly replicate?: TableSettings['replicate'];
  readonly tombstoneAge?: number;
  readonly archiveKeep?: number;
  readonly conflictsKeep?: number;
  readonly generation?: number;
}

const SHOWN_MAX = 200;
const HELP = `
A table that is created or deleted in one region is so in every one. What was deleted can be restored for as long as
Tables.DeletedKeepMs says, under the same name and with its rows.
`;

/** Returns the group of the commands, for those that are about rows. */
export function addTables({ program, act }: Cli): Command {
  const group = program
    .command('tables')
    .description('The catalogue of tables: lists, shows, creates, deletes, restores them.')
    .addHelpText('after', HELP);
  const add = (name: string, what: string): Command =>
    group
      .command(name)
      .description(what)
      .requiredOption('--region <region>', 'whose catalogue; every region has the same');
  const addWriting = (name: string, what: string): Command =>
    add(name, what).argument('<table>').option('--apply', 'does it', false);
  const tableOf = (): string => catalogKind.name;
  act<TablesOptions>(add('list', 'the tables there are'), list, tableOf);
  act<TablesOptions>(
    add('show', 'every generation of one name, deleted or not').argument('<table>'),
    show,
    tableOf,
  );
  const withKeeps = (command: Command): Command =>
    command
      .option('--tombstone-age <duration>', 'else Tombstone.AgeMs of each region', duration(1))
      .option('--archive-keep <duration>', 'else Archive.KeepMs of each region', duration(1))
      .option('--conflicts-keep <duration>', 'else Conflicts.KeepMs of each region', duration(1));
  act<TablesOptions>(
    withKeeps(
      addWriting('create', 'makes a table')
        .addOption(new Option('--policy <policy>', 'row by default').choices(['row', 'field']))
        .option('--replicate <to>', 'all or none; all by default'),
    ),
    create,
    tableOf,
  );
  act<TablesOptions>(
    withKeeps(addWriting('change', 'changes how long a table keeps what it had')),
    change,
    tableOf,
  );
  act<TablesOptions>(
    addWriting('delete', 'ends a table').option(
      '--confirm <region>',
      'the region in which it is deleted; asked for on a terminal',
    ),
    remove,
    tableOf,
  );
  act<TablesOptions>(
    addWriting('restore', 'brings a deleted table back, with its rows').option(
      '--generation <generation>',
      'as show names it; the last by default',
      readGenerationOption,
    ),
    restore,
    tableOf,
  );
  return group;
}

function readGenerationOption(text: string): number {
  if (/^[0-9a-z]{4}$/.test(text)) return readGeneration(text);
  throw new InvalidArgumentError(
    'It must be four digits or letters, as tandem tables show has it.',
  );
}

async function list(session: Session, { region }: TablesOptions): Promise<Outcome> {
  const catalogue = await openCatalogue(session, region);
  const tables = await catalogue.list();
  const [shown, more] = firstRows(tables, SHOWN_MAX);
  const rows = shown.map((table) => [
    table.name,
    formatGeneration(table.generation),
    table.policy,
    table.replicate,
    timeText(table.createdMs ?? 0),
  ]);
  return {
    text:
      tables.length === 0
        ? 'There are no tables.'
        : textTable(['table', 'generation', 'policy', 'replicated to', 'created'], rows) + more,
    json: { region, tables: tables.map(tableJson) },
  };
}

async function show(
  session: Session,
  { region }: TablesOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const catalogue = await openCatalogue(session, region);
  const generations = await catalogue.generations(name);
  const read = await readReach(session, region, generations);
  if (generations.length === 0) throw new NotFoundError(`${region} never had a table ${name}.`);
  const current = (await catalogue.find(name))?.table;
  const moved = hasMoved(current) ? [(await showMove(session, current, [region])).text] : [];
  const rows = generations.map((one) => [
    formatGeneration(one.generation),
    one.generation === current?.generation ? 'current' : describeLife(one),
    one.policy,
    one.replicate,
    formatGeneration(one.rowsOf),
    one.createdMs === undefined ? '' : timeText(one.createdMs),
  ]);
  return {
    text: [
      textTable(['generation', 'is', 'policy', 'replicated to', 'rows of', 'created'], rows),
      ...moved,
      ...(current === undefined ? [] : describeReach(read(current))),
    ].join('\n'),
    json: {
      region,
      table: current?.name ?? generations.at(-1)?.name ?? name,
      current: current === undefined ? null : formatGeneration(current.generation),
      generations: generations.map((one) => ({ ...tableJson(one), ...read(one) })),
    },
    exitCode: current === undefined ? EXIT.finding : EXIT.ok,
  };
}

/** How long a table keeps what it had, and how far back it goes in one region. */
interface Reach {
  /** In milliseconds, its own or the region's; null where all of it is kept for ever. */
  readonly kept: Readonly<
    Record<'tombstoneAgeMs' | 'archiveKeepMs' | 'conflictsKeepMs', number | null>
  >;
  /** From when on replays give what was; null where nothing was ever trimmed. */
  readonly archiveFromMs: number | null;
  readonly conflictsFromMs: number | null;
  /** Until when tombstones were collected; null where only their age tells. */
  readonly tombstonesFromMs: number | null;
}

/** Returns what tells of each generation how far back its rows go in a region. */
async function readReach(
  session: Session,
  name: string,
  generations: readonly TableGeneration[],
): Promise<(table: TableGeneration) => Reach> {
  const ofKinds = new Map<string, Horizons[]>();
  // That of another table may be unreadable.
  const asked = new Set(generations.map(rowsIdOf));
  for (const kind of new Set(generations.map(rowsKindOf))) {
    const { recovery } = await session.of(kind).openAsIs(name);
    ofKinds.set(kind.name, [
      await recovery.archive.horizons(kind.name, asked),
      (await recovery.conflictsFrom?.read(asked)) ?? NO_HORIZONS,
      (await recovery.tombstones?.read(asked)) ?? NO_HORIZONS,
    ]);
  }
  const region = await session.openAsIs(name);
  const byRegion = {
    tombstoneAgeMs: await readDurationMs(region, 'Tombstone.AgeMs'),
    archiveKeepMs: await readOptionalMs(region, 'Archive.KeepMs'),
    conflictsKeepMs: await readOptionalMs(region, 'Conflicts.KeepMs'),
  };
  return (table) => {
    const tableId = rowsIdOf(table);
    const [archive, conflicts, tombstones] = ofKinds.get(rowsKindOf(table).name) ?? [];
    const from = (horizons = NO_HORIZONS): number | null =>
      latestHorizon(horizons, tableId) ?? null;
    const keeps = KEEP_SETTINGS.map((one) => [one, table[one] ?? byRegion[one] ?? null]);
    return {
      kept: Object.fromEntries(keeps) as Reach['kept'],
      archiveFromMs: from(archive),
      conflictsFromMs: from(conflicts),
      tombstonesFromMs: tombstones?.tables.get(tableId) ?? null,
    };
  };
}

function describeReach({
  kept,
  archiveFromMs,
  conflictsFromMs,
  tombstonesFromMs,
}: Reach): string[] {
  const keptText = (ms: number | null): string => (ms === null ? 'for ever' : durationText(ms));
  const fromText = (ms: number | null): string =>
    ms === null ? 'goes back to its beginning' : `goes back to ${timeText(ms)}`;
  const collected =
    tombstonesFromMs === null
      ? ''
      : `; those of before ${timeText(tombstonesFromMs)} are collected`;
  return [
    `Archive: kept ${keptText(kept.archiveKeepMs)}, ${fromText(archiveFromMs)}.`,
    `Conflicts: kept ${keptText(kept.conflictsKeepMs)}, ${fromText(conflictsFromMs)}.`,
    `Tombstones: kept ${keptText(kept.tombstoneAgeMs)}${collected}.`,
  ];
}

function describeLife({ createdMs, deletedMs, purgedMs }: TableGeneration): string {
  if (purgedMs !== undefined) return `purged ${timeText(purgedMs)}`;
  if (deletedMs === undefined) return createdMs === undefined ? 'unknown' : 'hidden by a later one';
  return Number.isFinite(deletedMs) ? `deleted ${timeText(deletedMs)}` : 'deleted';
}

async function create(
  session: Session,
  options: TablesOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { region, apply, policy, replicate } = options;
  const catalogue = await openCatalogue(session, region);
  const settings = {
    ...(policy === undefined ? {} : { policy }),
    ...(replicate === undefined ? {} : { replicate }),
    ...keepsIn(options),
  };
  checkSettings(name, settings);
  if (!apply) {
    // Refused as the act would be.
    const decided = decideCreate(name, settings, await catalogue.generations(name));
    const exists = decided.kind === 'exists';
    return {
      text: exists ? `${decided.table.name} exists.` : `Would create ${name}. Run it with --apply.`,
      json: { applied: false, exists },
    };
  }
  const { kind, table } = await catalogue.create(name, settings);
  return {
    text: escapeValue(
      kind === 'created' ? `Created ${table.name}; every region gets it.` : `${table.name} exists.`,
    ),
    json: { applied: kind === 'created', exists: kind === 'exists', table: tableJson(table) },
  };
}

function keepsIn({ tombstoneAge, archiveKeep, conflictsKeep }: TablesOptions): TableSettings {
  return {
    ...(tombstoneAge === undefined ? {} : { tombstoneAgeMs: tombstoneAge }),
    ...(archiveKeep === undefined ? {} : { archiveKeepMs: archiveKeep }),
    ...(conflictsKeep === undefined ? {} : { conflictsKeepMs: conflictsKeep }),
  };
}

async function change(
  session: Session,
  options: TablesOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { region, apply } = options;
  const settings = keepsIn(options);
  if (Object.keys(settings).length === 0) {
    throw new UsageError('Say what to change: --tombstone-age, --archive-keep, --conflicts-keep.');
  }
  checkSettings(name, settings);
  const { catalogue, table } = await findTable(session, region, name);
  if (!apply) {
    return {
      text: `Would change ${table.name} in every region. Run it with --apply.`,
      json: { applied: false, table: tableJson(table) },
    };
  }
  const changed = await catalogue.change(name, settings);
  return {
    text: `Changed ${table.name}; every region gets it.`,
    json: { applied: changed !== undefined, table: tableJson(changed ?? table) },
  };
}

async function remove(
  session: Session,
  { region, apply, confirm }: TablesOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { catalogue, table } = await findTable(session, region, name);
  if (!apply) {
    return {
      text: `Would delete ${table.name} in every region. Run it with --apply.`,
      json: { applied: false, table: tableJson(table) },
    };
  }
  const what = `delete the table ${table.name}, in every region`;
  await requireConfirmation(session, { region, what, given: confirm });
  const ended = await catalogue.remove(name);
  return {
    text: `Deleted ${table.name}; every region gets it. tandem tables restore brings it back.`,
    json: { applied: ended !== undefined, table: tableJson(ended ?? table) },
  };
}

async function restore(
  session: Session,
  { region, apply, generation }: TablesOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const catalogue = await openCatalogue(session, region);
  if (!apply) {
    const generations = await catalogue.generations(name);
    // Refused as the act would be.
    decideRestore(name, generations, {
      generation,
      nowMs: session.io.clock.nowMs(),
      keepMs: await readDurationMs(await session.openAsIs(region), 'Tables.DeletedKeepMs'),
    });
    return {
      text: `Would bring ${name} back. Run it with --apply.`,
      json: { applied: false, generations: generations.map(tableJson) },
    };
  }
  const table = await catalogue.restore(name, generation);
  return {
    text: escapeValue(`Restored ${table.name}; every region gets it.`),
    json: { applied: true, table: tableJson(table) },
  };
}

function tableJson(table: TableGeneration): Readonly<Record<string, unknown>> {
  const { name, policy, replicate, deletedMs } = table;
  return {
    name,
    generation: formatGeneration(table.generation),
    rowsOf: formatGeneration(table.rowsOf),
    policy,
    replicate,
    tombstoneAgeMs: table.tombstoneAgeMs ?? null,
    archiveKeepMs: table.archiveKeepMs ?? null,
    conflictsKeepMs: table.conflictsKeepMs ?? null,
    createdMs: table.createdMs ?? null,
    isDeleted: deletedMs !== undefined,
    deletedMs: deletedMs !== undefined && Number.isFinite(deletedMs) ? deletedMs : null,
    purgedMs: table.purgedMs ?? null,
    move: table.move ?? null,
  };
}
