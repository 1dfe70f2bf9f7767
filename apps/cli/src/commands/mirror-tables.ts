// A plain table that is kept equal to one of ours, for who reads ordinary rows: docs/adr/0040.
import {
  AppError,
  catalogKind,
  checkMirrorEnd,
  decideMirror,
  pagesOf,
  readable,
  type TableGeneration,
  type TableStore,
} from '@tandem/core';
import type { Command } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { UsageError } from '../exit-codes.ts';
import { findTable } from '../regions/open-writer.ts';
import {
  openAccount,
  openAllForSources,
  regionNamed,
  showMirror,
} from '../regions/plain-accounts.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';

interface MirrorCommand {
  readonly region: string;
  readonly to?: string;
  readonly accountTable?: string;
  readonly end: boolean;
  readonly apply: boolean;
}

const HELP = `
The replicator of that region makes the other table equal to what the region shows, and does so again and again: a write is there
when the next pass over the table has ended. Nobody else may write there: what is not in ours is deleted, so it has to be empty
when that begins. With --end it is left as it is then. Without --apply it says what it would do.
`;

/** Adds the command to `tandem tables`. */
export function addMirror({ act }: Pick<Cli, 'act'>, group: Command): void {
  act<MirrorCommand>(
    group
      .command('mirror')
      .description('keeps a plain table of an account equal to a table; tells how far it is')
      .argument('<table>')
      .requiredOption('--region <region>', 'whose rows it shows')
      .option('--to <source>', 'its account, as Tables.Sources of the region names it')
      .option('--account-table <table>', 'its name there; the same by default')
      .option('--end', 'ends it', false)
      .option('--apply', 'does it; only says what it would do without', false)
      .addHelpText('after', HELP),
    mirror,
    () => catalogKind.name,
  );
}

async function mirror(
  session: Session,
  { region, to, accountTable, end, apply }: MirrorCommand,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { catalogue, table } = await findTable(session, region, name);
  if (end && to !== undefined) throw new UsageError('Give --to to begin, or --end to end.');
  if (end) {
    checkMirrorEnd(table);
    if (table.mirror === undefined) return tell(table, `${table.name} is not mirrored.`);
    if (!apply) return tell(table, `Would end the mirror of ${table.name}. Run it with --apply.`);
    await catalogue.mirror(name, undefined);
    const text = `${table.name} is mirrored no more; what was is left as it is.`;
    return tell({ ...table, mirror: undefined }, text, true);
  }
  if (to === undefined) {
    return table.mirror === undefined
      ? tell(table, `${table.name} is not mirrored.`)
      : showMirror(session, table);
  }
  const asked = { home: region, to, table: accountTable ?? table.name };
  const what = `table ${asked.table} of ${to} equal to ${table.name} of ${region}`;
  const text = `The replicator of ${region} keeps ${what}: tandem tables mirror ${table.name} --region ${region} tells its lag.`;
  // Refused as the act would be, and before the plain table is made for it.
  const known = decideMirror(table, asked, await catalogue.list());
  if (known !== undefined) return tell(table, text);
  const target = await openEmpty(session, asked);
  if (!apply) return tell(table, `Would keep ${what}. Run it with --apply.`);
  await target.createTable(asked.table);
  const begun = await catalogue.mirror(name, asked);
  return tell({ ...table, mirror: begun }, text, true);
}

/**
 * Returns the account of the target. Throws `UsageError` where there is what a mirror would delete, and for a region that
 * could not keep one.
 */
async function openEmpty(
  session: Session,
  { home, to, table }: { readonly home: string; readonly to: string; readonly table: string },
): Promise<TableStore> {
  const region = regionNamed(await openAllForSources(session), home);
  const store = await openAccount(session, region, to);
  if (!(await isEmptyOrMissing(store, table))) {
    throw new UsageError(
      `Table ${table} of ${to} is not empty, and a mirror deletes what is not in ours: empty it, or give another.`,
    );
  }
  return store;
}

async function isEmptyOrMissing(store: TableStore, table: string): Promise<boolean> {
  const range = { table, partitions: { from: '', before: '\uffff' }, limit: 1 };
  try {
    for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from })))
      if (rows.length > 0) return false;
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return true;
    throw error;
  }
}

function tell({ name, mirror: kept }: TableGeneration, text: string, applied = false): Outcome {
  return {
    text: escapeValue(text),
    json: { applied, table: name, mirror: readable(kept) ?? null },
  };
}
