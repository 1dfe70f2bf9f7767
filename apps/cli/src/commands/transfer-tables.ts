// Rows of a table of clients out of files and plain tables, and into them, for those who want to stop their writers meanwhile.
import { resolve } from 'node:path';
import {
  catalogKind,
  currentTable,
  formatGeneration,
  type OpenKind,
  rowsIdOf,
  rowsKindOf,
  type TableGeneration,
  tableKeyOf,
  UNREADABLE,
} from '@tandem/core';
import {
  createRetriedStore,
  createTransferRecord,
  queryOpenTable,
  readTables,
} from '@tandem/storage';
import { type Command, Option } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, NotFoundError, UsageError } from '../exit-codes.ts';
import { wholeNumber } from '../option-values.ts';
import { openClientWriter, requireAtRest } from '../regions/open-writer.ts';
import type { CliRegion } from '../regions/region.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import {
  type ExportOptions,
  type ExportReport,
  exportToFile,
  exportToTable,
} from '../transfer/export-rows.ts';
import {
  type ImportReport,
  importRows,
  openFileSource,
  openTableSource,
  type RowSource,
} from '../transfer/import-rows.ts';
import { readAccount } from '../transfer/plain-table.ts';
import { FILE_FORMATS, type FileFormat } from '../transfer/row-files.ts';

interface OtherSide {
  readonly region: string;
  readonly file?: string;
  readonly format?: FileFormat;
  readonly account?: string;
  readonly accountTable?: string;
  readonly overwrite: boolean;
  readonly rowsPerSecond: number;
}

interface ImportCommand extends OtherSide {
  readonly types?: string;
  readonly beginAnew: boolean;
  readonly refusedMax: number;
  readonly apply: boolean;
}

const ROWS_PER_SECOND_DEFAULT = 2_000;
const ROWS_PER_SECOND_MAX = 100_000;
const REFUSED_DEFAULT = 1_000;
const REFUSED_MAX = 100_000;
const SHOWN_MAX = 20;
const TYPES_FOR_CSV = 'of a CSV of AzCopy: its file .schema.csv, with the types of the columns';

const IMPORT_HELP = `
Each row is a write of this region as a client makes it: archived, sent to the other regions, with a new Timestamp and ETag.
Nobody else may write to the source meanwhile. A row that is there with the same properties is left alone; one with others
is refused without --overwrite. Interrupted, the same command goes on where it was.
`;
const EXPORT_HELP = `
Each row is written as it is when it is read; clients may write meanwhile. A file is there when it is whole; interrupted, the
same command goes on where it was.
`;

/** Adds the two commands to `tandem tables`. */
export function addTransfer({ act }: Pick<Cli, 'act'>, group: Command): void {
  const add = (name: string, what: string): Command =>
    group
      .command(name)
      .description(what)
      .argument('<table>')
      .requiredOption('--region <region>', 'in which region')
      .option('--file <path>', 'a file in place of a table of an account')
      .addOption(
        new Option('--format <format>', 'csv or ndjson; by default as the file is named').choices(
          FILE_FORMATS,
        ),
      )
      .option(
        '--account <account>',
        'https://… for the identity here, or env:<variable> with a connection string or signed address',
      )
      .option('--account-table <table>', 'its table; of the same name by default')
      .option('--overwrite', 'takes the place of what is there', false)
      .option(
        '--rows-per-second <n>',
        'at most',
        wholeNumber(1, ROWS_PER_SECOND_MAX),
        ROWS_PER_SECOND_DEFAULT,
      );
  act<ImportCommand>(
    add(
      'import',
      'writes rows of a file or of a plain table into a table; looks at them without --apply',
    )
      .option('--types <path>', TYPES_FOR_CSV)
      .option('--begin-anew', 'does not go on where it was interrupted', false)
      .option(
        '--refused-max <n>',
        'ends when more rows are refused',
        wholeNumber(0, REFUSED_MAX),
        REFUSED_DEFAULT,
      )
      .option('--apply', 'writes', false)
      .addHelpText('after', IMPORT_HELP),
    importTable,
    () => undefined,
  );
  act<OtherSide>(
    add('export', 'writes the rows of a table to a file or to a plain table').addHelpText(
      'after',
      EXPORT_HELP,
    ),
    exportTable,
    () => undefined,
  );
}

interface Ours {
  readonly region: CliRegion;
  readonly kind: OpenKind;
  readonly tableId: string;
  readonly table: TableGeneration;
}

async function openOurs(session: Session, regionName: string, name: string): Promise<Ours> {
  const key = tableKeyOf(name);
  const { store } = await session.of(catalogKind).openOne(regionName);
  const table = currentTable((await readTables({ store })).get(key));
  if (table === undefined) {
    throw new NotFoundError(
      `${regionName} has no table ${name}. Create it: tandem tables create ${name}.`,
    );
  }
  const { source } = table;
  if (source !== undefined && (source === UNREADABLE || source.state !== 'done')) {
    throw new UsageError(
      `Table ${table.name} is being taken over, and what is here is not all of it: wait until it is done. See tandem tables ` +
        `status ${table.name}.`,
    );
  }
  requireAtRest(table);
  const kind = rowsKindOf(table);
  const region = await session.of(kind).openOne(regionName);
  return { region, kind, table, tableId: rowsIdOf(table) };
}

type Other =
  | { readonly kind: 'file'; readonly path: string; readonly format: FileFormat }
  | {
      readonly kind: 'table';
      readonly connection: string;
      readonly account: string;
      readonly table: string;
    };

function readOther(session: Session, options: OtherSide, { table }: Ours): Other {
  const { file, account, accountTable = table.name } = options;
  if ((file === undefined) === (account === undefined)) {
    throw new UsageError(
      'Name the other side: --file <path>, or --account <account>, one of them.',
    );
  }
  if (file !== undefined) {
    const format = options.format ?? (/\.(?:nd)?json(?:l|lines)?$/i.test(file) ? 'ndjson' : 'csv');
    return { kind: 'file', path: resolve(session.io.folder, file), format };
  }
  const given = account ?? '';
  // What people named it by: an address, or a variable; never what is in that.
  return {
    kind: 'table',
    connection: readAccount(given, session.io),
    account: given,
    table: accountTable,
  };
}

async function importTable(
  session: Session,
  options: ImportCommand,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const ours = await openOurs(session, options.region, name);
  const other = readOther(session, options, ours);
  const { region, tableId, table } = ours;
  const source = openSource(session, other, options.types);
  const { io, progress } = session;
  const work = async (): Promise<ImportReport> =>
    importRows({
      source,
      tableId,
      into: options.apply
        ? {
            table: await openClientWriter(region, { ...ours, policy: table.policy }, io),
            record: createTransferRecord({ store: region.store, way: 'import', tableId }),
          }
        : undefined,
      overwrites: options.overwrite,
      beginsAnew: options.beginAnew,
      rowsPerSecond: options.rowsPerSecond,
      refusedMax: options.refusedMax,
      clock: io.clock,
      signal: io.signal,
      onProgress: (read) => progress.update('rows', read),
      onPage: () => region.beginRound(),
    });
  return describeImport(await work(), ours, { source, isApplied: options.apply });
}

function openSource(session: Session, other: Other, types: string | undefined): RowSource {
  if (other.kind === 'table') {
    if (types !== undefined) throw new UsageError('--types is for a file of CSV.');
    const store = createRetriedStore(session.io.openStore(other.connection), session.io);
    return openTableSource({ ...other, store });
  }
  if (types !== undefined && other.format !== 'csv') {
    throw new UsageError('--types is for a file of CSV.');
  }
  const schemaPath = types === undefined ? undefined : resolve(session.io.folder, types);
  return openFileSource({ ...other, schemaPath });
}

function describeImport(
  report: ImportReport,
  { table, region }: Ours,
  { source, isApplied }: { readonly source: RowSource; readonly isApplied: boolean },
): Outcome {
  const { read, created, replaced, same, refused, refusals, isResumed, isStopped } = report;
  const what = isApplied
    ? `${created} rows created, ${replaced} replaced, ${same} there already, ${refused} refused`
    : `${read - refused} rows could be written, ${refused} would be refused. Run it with --apply`;
  const [shown, more] = firstRows(refusals, SHOWN_MAX);
  const lines = [
    `${isResumed ? 'Went on. ' : ''}Read ${read} rows of ${source.name}: ${what}.`,
    ...(isStopped ? ['Stopped there: too many rows are refused. See --refused-max.'] : []),
    ...(shown.length === 0
      ? []
      : [
          textTable(
            ['where', 'why'],
            shown.map(({ place, reason }) => [place, reason]),
          ) + more,
        ]),
  ];
  return {
    text: lines.map((line, index) => (index === 0 ? escapeValue(line) : line)).join('\n'),
    json: {
      applied: isApplied,
      region: region.name,
      table: table.name,
      source: source.name,
      resumed: isResumed,
      stopped: isStopped,
      read,
      created,
      replaced,
      same,
      refusedCount: refused,
      refused: refusals,
    },
    exitCode: refused > 0 || isStopped ? EXIT.finding : EXIT.ok,
  };
}

async function exportTable(
  session: Session,
  options: OtherSide,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const ours = await openOurs(session, options.region, name);
  const other = readOther(session, options, ours);
  const { region, table } = ours;
  const { io, progress } = session;
  const { bucketCount, store } = region;
  const rows = { ...ours, store, bucketCount, clock: io.clock, randomness: io.randomness };
  const skipped = new Set<string>();
  const shared: ExportOptions = {
    readPage: async (cursor) => {
      region.beginRound();
      return queryOpenTable(
        { cursor },
        { ...rows, onDamaged: ({ rowKey }) => void skipped.add(rowKey) },
      );
    },
    rowsPerSecond: options.rowsPerSecond,
    clock: io.clock,
    signal: io.signal,
    onProgress: (what, count) => progress.update(what, count),
  };
  const report = await exportTo(session, { other, ours, options }, shared);
  const to = other.kind === 'file' ? other.path : `table ${other.table} of ${other.account}`;
  const damaged = [...skipped].toSorted();
  return {
    text: escapeValue(
      `${report.isResumed ? 'Went on. ' : ''}Wrote ${report.rows} rows of ${table.name} to ${to}.` +
        (damaged.length === 0
          ? ''
          : ` Left out ${damaged.length} damaged rows: see tandem verify.`),
    ),
    json: {
      region: region.name,
      table: table.name,
      to,
      rows: report.rows,
      resumed: report.isResumed,
      damaged,
    },
    exitCode: damaged.length > 0 ? EXIT.damaged : EXIT.ok,
  };
}

function exportTo(
  session: Session,
  {
    other,
    ours,
    options,
  }: { readonly other: Other; readonly ours: Ours; readonly options: OtherSide },
  shared: ExportOptions,
): Promise<ExportReport> {
  const { region, table, tableId } = ours;
  const overwrites = options.overwrite;
  if (other.kind === 'file') {
    const named = `${table.name} ${formatGeneration(table.generation)} of ${region.name}`;
    return exportToFile({ ...other, overwrites, table: named }, shared);
  }
  const store = createRetriedStore(session.io.openStore(other.connection), session.io);
  const record = createTransferRecord({ store: region.store, way: 'export', tableId });
  return exportToTable({ ...other, store, overwrites, record }, shared);
}
