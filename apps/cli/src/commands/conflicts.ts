import {
  assertNever,
  type Conflict,
  type EncodedFieldValue,
  encodeFieldValue,
  latestHorizon,
  NO_HORIZONS,
  stampTimeMs,
} from '@tandem/core';
import { type Restoration, restoreConflict } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { UsageError } from '../exit-codes.ts';
import { wholeNumber } from '../option-values.ts';
import {
  chooseRows,
  nameRow,
  type RowChoice,
  refuseCatalogue,
  rowJson,
  withRow,
} from '../regions/choose-kind.ts';
import { openRestoring, requireNamed } from '../regions/open-writer.ts';
import type { CliRegion } from '../regions/region.ts';
import { conflictName } from '../report/describe-verify.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface ConflictOptions extends RowChoice {
  readonly region: string;
  readonly limit: number;
  readonly field?: string;
  readonly force: boolean;
  readonly apply: boolean;
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 100_000;
const SHOWN_MAX = 100;

export function addConflicts({ program, act }: Cli): void {
  const group = program
    .command('conflicts')
    .description('Edits that had not seen each other: lists, shows, restores the losing value.');
  const add = (name: string, what: string): ReturnType<typeof group.command> =>
    withRow(group.command(name))
      .description(what)
      .requiredOption('--region <region>', 'whose record; every region has the same')
      .option('--limit <n>', 'of the newest', wholeNumber(1, LIMIT_MAX), LIMIT_DEFAULT);
  act<ConflictOptions>(add('list', 'the newest first'), list);
  act<ConflictOptions>(
    add('show', 'one of them, with both values').argument('<conflict>', 'as list names it'),
    show,
  );
  act<ConflictOptions>(
    add('restore', 'makes good what lost, as an ordinary write')
      .argument('<conflict>', 'as list names it')
      .option('--field <name>', 'only this field; every one that lost by default')
      .option('--force', 'also what was written again since', false)
      .option('--apply', 'writes', false),
    restore,
  );
}

async function read(
  session: Session,
  options: ConflictOptions,
): Promise<{ readonly region: CliRegion; readonly conflicts: readonly Conflict[] }> {
  const { region: name, limit, partition, row } = options;
  const isChosen = chooseRows(session, options);
  const region = await session.openOne(name);
  // What is not of the rows that are chosen does not count.
  const isOfAll = [session.table, partition, row].every((one) => one === undefined);
  const asked = isOfAll ? limit : LIMIT_MAX;
  const all = await region.recovery.conflicts.list(session.kind.name, asked);
  const conflicts = all.filter(({ entityId }) => isChosen(entityId)).slice(0, limit);
  return { region, conflicts };
}

async function list(session: Session, options: ConflictOptions): Promise<Outcome> {
  const { region, conflicts } = await read(session, options);
  const kept = await region.recovery.conflictsFrom?.read();
  const fromMs = latestHorizon(kept ?? NO_HORIZONS, session.table?.tableId);
  const since = fromMs === undefined ? '' : `\nThose of before ${timeText(fromMs)} are trimmed.`;
  const [shown, more] = firstRows(conflicts, SHOWN_MAX);
  const rows = shown.map((conflict) => [
    timeText(stampTimeMs(conflict.stamps[1])),
    nameRow(session, conflict.entityId),
    lossOf(conflict),
    conflictName(conflict),
  ]);
  return {
    text:
      conflicts.length === 0
        ? `There are no conflicts.${since}`
        : textTable(['at', 'id', 'lost', 'conflict'], rows) + more + since,
    json: {
      region: options.region,
      conflictsFromMs: fromMs ?? null,
      conflicts: conflicts.map((one) => conflictJson(session, one)),
    },
  };
}

async function show(
  session: Session,
  options: ConflictOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { conflicts } = await read(session, { ...options, limit: LIMIT_MAX });
  const conflict = find(conflicts, name);
  const rows = conflict.fields.map(({ name: field, winner, loser }) => [
    field,
    textOf(encodeFieldValue(winner.value)),
    textOf(encodeFieldValue(loser.value)),
  ]);
  const { life } = conflict;
  const fate =
    life === undefined ? '' : `\nDeleted in one, written in the other; ${survival(life)}.`;
  return {
    text: `${escapeValue(nameRow(session, conflict.entityId))}\n${textTable(['field', 'won', 'lost'], rows)}${fate}`,
    json: conflictJson(session, conflict),
  };
}

async function restore(
  session: Session,
  options: ConflictOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  refuseCatalogue(session, 'set back');
  requireNamed(session);
  const { region, conflicts } = await read(session, { ...options, limit: LIMIT_MAX });
  const conflict = find(conflicts, name);
  const chosen = conflict.fields.filter(
    (field) => options.field === undefined || field.name === options.field,
  );
  if (chosen.length === 0 && (options.field !== undefined || conflict.life === undefined)) {
    throw new UsageError(`Nothing of "${options.field ?? 'it'}" was lost in this conflict.`);
  }
  const isApplied = options.apply;
  const { kind, fields } = await restoreConflict({
    conflict,
    recorded: conflicts,
    chosen,
    recovery: region.recovery,
    isForced: options.force,
    ...(isApplied ? { openTable: () => openRestoring(region, session) } : {}),
  });
  const { entityId: id } = conflict;
  const isDone = isApplied && kind !== 'none';
  return {
    text: describeRestoration({ kind, fields }, { id: nameRow(session, id), isApplied }),
    json: { applied: isDone, ...rowJson(session, id), action: kind, fields },
  };
}

function describeRestoration(
  { kind, fields }: Restoration,
  { id, isApplied }: { readonly id: string; readonly isApplied: boolean },
): string {
  const names = fields.length === 0 ? '' : ` with ${fields.join(', ')}`;
  switch (kind) {
    case 'none':
      return `There is nothing to restore: ${id} has it already.`;
    case 'set':
      return isApplied
        ? `Set ${fields.join(', ')} of ${id}; every region gets it.`
        : `Would set ${fields.join(', ')} of ${id}. Run it with --apply.`;
    case 'revive':
      return isApplied
        ? `Made ${id} alive again${names}; every region gets it.`
        : `Would make ${id} alive again${names}. Run it with --apply.`;
    case 'delete':
      return isApplied
        ? `Deleted ${id} again; every region gets it.`
        : `Would delete ${id} again. Run it with --apply.`;
    default:
      return assertNever(kind);
  }
}

function find(conflicts: readonly Conflict[], name: string): Conflict {
  const found = conflicts.find((conflict) => conflictName(conflict) === name);
  if (found !== undefined) return found;
  throw new UsageError(`There is no conflict "${name}": tandem conflicts list names them.`);
}

function lossOf({ fields, life }: Conflict): string {
  const lost = fields.map(({ name }) => name).join(', ');
  if (life !== undefined) return [lost, survival(life)].filter((text) => text !== '').join('; ');
  return lost === '' ? 'nothing: different fields' : lost;
}

function survival({ survives }: { readonly survives: boolean }): string {
  return survives ? 'the deletion lost' : 'the write lost';
}

function textOf(value: EncodedFieldValue): string {
  return value === null ? '' : String(value[1]);
}

function conflictJson(session: Session, conflict: Conflict): Record<string, unknown> {
  const { entityId, stamps, fields, life } = conflict;
  return {
    conflict: conflictName(conflict),
    ...rowJson(session, entityId),
    atMs: stampTimeMs(stamps[1]),
    fields: fields.map(({ name, winner, loser }) => ({
      name,
      won: { stamp: winner.stamp, value: encodeFieldValue(winner.value) },
      lost: { stamp: loser.stamp, value: encodeFieldValue(loser.value) },
    })),
    life: life ?? null,
  };
}
