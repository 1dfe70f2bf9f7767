// How a plain table becomes one of ours while clients use it: docs/migrate.md tells it step by step, docs/adr/0040 why so.
import {
  advanceSource,
  catalogKind,
  currentTable,
  decideAdopt,
  findMarkFault,
  openIdRange,
  readable,
  rowsIdOf,
  rowsKindOf,
  type SourceProof,
  type TableGeneration,
  type TableSource,
  type TableStore,
  tableKeyOf,
  UNREADABLE,
} from '@tandem/core';
import { FREEZE_MS } from '@tandem/region';
import {
  type CopyReport,
  createCopyRecord,
  createOldTable,
  createTableReplica,
  type NamedRow,
  paceOf,
  readTables,
  type TableCatalogue,
  verifyCopy,
} from '@tandem/storage';
import { type Command, Option } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { durationText } from '../option-values.ts';
import { findTable, openCatalogue } from '../regions/open-writer.ts';
import {
  connectionOf,
  openAccount,
  openAllForSources,
  regionNamed,
  showMirror,
  sourceJson,
  tellSource,
} from '../regions/plain-accounts.ts';
import { type CliRegion, readWireVersion } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { hasMoved, showMove } from '../regions/show-move.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface TakeOverOptions {
  readonly region: string;
  readonly apply: boolean;
  readonly confirm?: string;
}

interface AdoptOptions extends TakeOverOptions {
  readonly from: string;
  readonly accountTable?: string;
  readonly policy?: 'row' | 'field';
}

const ADOPT_HELP = `
From then on the endpoint of this region, the home region, serves the table by forwarding to the old one, with its own ETags; the
other regions answer 503 for it. Clients change their connection string to the endpoint one after the other; whoever still has
the old address does no harm. Nothing is copied. Back: clients take their old string again, then tandem tables delete.
`;
const TAKE_OVER_HELP = `
First make certain that no client has the old address any more: renew the key of the old account that they had, and give the new
one to Tables.Sources alone. Then writes to the table are held for some ${Math.ceil(FREEZE_MS / 1_000)} seconds, at home, and go
on in every region: reads are answered all the time, and ETags stay good. The replicator of the home region copies the rows.
Interrupted, the same command goes on, or the replicator does. Back: --back, as long as the table is frozen.
`;
const VERIFY_HELP = `
Reads every row of the old table and the row of each region. With --apply the result is kept in the catalogue, and the table is
done: the old one is read no more, and may go. Refused while a row is missing, or another than it was and written by nobody here.
`;

/** Adds the commands to `tandem tables`. */
export function addTakeOver({ act }: Pick<Cli, 'act'>, group: Command): void {
  const add = (name: string, what: string): Command =>
    group
      .command(name)
      .description(what)
      .argument('<table>')
      .requiredOption('--region <region>', 'the home region of the table')
      .option('--apply', 'does it; only says what it would do without', false);
  const tableOf = (): string => catalogKind.name;
  act<AdoptOptions>(
    add('adopt', 'serves a plain table of another account through the endpoint')
      .requiredOption('--from <source>', 'its account, as Tables.Sources names it in every region')
      .option('--account-table <table>', 'its name there; the same by default')
      .addOption(new Option('--policy <policy>', 'row by default').choices(['row', 'field']))
      .addHelpText('after', ADOPT_HELP),
    adopt,
    tableOf,
  );
  act<TakeOverOptions & { readonly back: boolean }>(
    add('take-over', 'ends the forwarding of a table: every region serves it from then on')
      .option('--back', 'lets a table that is frozen be forwarded again', false)
      .option('--confirm <region>', 'the home region; asked for on a terminal')
      .addHelpText('after', TAKE_OVER_HELP),
    takeOver,
    tableOf,
  );
  act<TakeOverOptions>(
    group
      .command('status')
      .description('how far a table is that is taken over, mirrored, returned or moved')
      .argument('<table>')
      .requiredOption('--region <region>', 'any region'),
    status,
    tableOf,
  );
  act<TakeOverOptions>(
    add('verify-copy', 'proves that every old row is in every region').addHelpText(
      'after',
      VERIFY_HELP,
    ),
    verify,
    tableOf,
  );
}

interface Taken {
  readonly table: TableGeneration;
  readonly source: TableSource;
  readonly tableId: string;
  readonly catalogue: TableCatalogue;
}

async function findTaken(session: Session, region: string, name: string): Promise<Taken> {
  const { catalogue, table } = await findTable(session, region, name);
  const { source } = table;
  if (source === undefined) {
    throw new UsageError(`Table ${table.name} was made here: it is taken over from nowhere.`);
  }
  if (source === UNREADABLE) {
    throw new UsageError(
      `A newer build wrote how table ${table.name} is taken over: use its tandem command.`,
    );
  }
  const tableId = rowsIdOf(table);
  return { table, source, tableId, catalogue };
}

/** The verbs change the catalogue of the home region alone, so that two of them never meet. */
function requireHome({ table, source }: Taken, region: string): void {
  if (source.home === region) return;
  throw new UsageError(
    `The home region of table ${table.name} is ${source.home}: give it as --region.`,
  );
}

/** Throws `UsageError` for a region that could not serve the table, before anything begins. */
async function requireRegions(session: Session, from: string): Promise<readonly CliRegion[]> {
  const regions = await openAllForSources(session);
  for (const region of regions) await connectionOf(region, from);
  return regions;
}

async function adopt(
  session: Session,
  options: AdoptOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { region, from, apply, policy } = options;
  tableKeyOf(name);
  const { accountTable = name } = options;
  const regions = await requireRegions(session, from);
  const catalogue = await openCatalogue(session, region);
  const generations = await catalogue.generations(name);
  if (readable(currentTable(generations)?.source) === undefined) await requireAbsent(regions, name);
  const decision = decideAdopt(name, { home: region, from, table: accountTable }, generations);
  if (decision.kind === 'exists') return tellAdopted(decision, region);
  const store = await openAccount(session, regionNamed(regions, region), from);
  const wireVersion = Math.min(...(await Promise.all(regions.map(readWireVersion))));
  const plain = { store, table: accountTable, tableId: ANY_TABLE, wireVersion };
  const found = await countRows(session, plain);
  const what = `table ${accountTable} of ${from}: ${found.rows} rows`;
  if (found.refused.length > 0) {
    return {
      text: [
        escapeValue(`Not adopted: ${what}, of which ${found.refusedCount} can be in no region.`),
        describeRows(found.refused),
      ].join('\n'),
      json: {
        applied: false,
        rows: found.rows,
        refusedCount: found.refusedCount,
        refused: found.refused,
      },
      exitCode: EXIT.finding,
    };
  }
  if (!apply) {
    return {
      text: escapeValue(
        `Would serve ${what}, through ${region} alone, by forwarding. Clients notice nothing but the new address; ` +
          'the other regions answer 503. Run it with --apply.',
      ),
      json: { applied: false, rows: found.rows, refusedCount: 0, refused: [] },
    };
  }
  const source = { home: region, from, table: accountTable, rows: found.rows };
  const adopted = await catalogue.adopt(name, source, policy === undefined ? {} : { policy });
  return tellAdopted(adopted, region);
}

function tellAdopted(
  { kind, table }: { readonly kind: 'created' | 'exists'; readonly table: TableGeneration },
  region: string,
): Outcome {
  return {
    text: escapeValue(
      `${kind === 'created' ? 'Adopted' : 'Adopted already:'} ${table.name}. Give clients the address of the endpoint of ` +
        `${region}, one after the other; then tandem tables take-over ${table.name} --region ${region}.`,
    ),
    json: {
      applied: kind === 'created',
      rows: readable(table.source)?.rows ?? null,
      ...sourceJson(table),
    },
  };
}

/** Stands for the id of any table. */
const ANY_TABLE = 'aaaaaaaa';

/** A row of ours would hide an old one: no region may have a table of the name. */
async function requireAbsent(regions: readonly CliRegion[], name: string): Promise<void> {
  for (const { name: region, store } of regions) {
    const table = currentTable((await readTables({ store })).get(tableKeyOf(name)));
    if (table === undefined) continue;
    throw new UsageError(
      `${region} has a table ${table.name}, whose rows would hide old ones: delete it, or adopt under another name.`,
    );
  }
}

interface Counted {
  readonly rows: number;
  readonly refusedCount: number;
  readonly refused: readonly NamedRow[];
}

const PAGE_ROWS = 1_000;
const NAMED_MAX = 20;

interface PlainRows {
  readonly store: TableStore;
  readonly table: string;
  readonly tableId: string;
  /** The newest that every region reads. */
  readonly wireVersion: number;
}

async function countRows(
  { io, progress }: Session,
  { wireVersion, ...plain }: PlainRows,
): Promise<Counted> {
  const refused: NamedRow[] = [];
  let rows = 0;
  let refusedCount = 0;
  const refuse = (row: NamedRow): void => {
    refusedCount += 1;
    if (refused.length < NAMED_MAX) refused.push(row);
  };
  const old = createOldTable({
    ...plain,
    onRefused(row) {
      rows += 1;
      refuse(row);
    },
  });
  let range: ReturnType<typeof openIdRange> | undefined = openIdRange(plain.tableId, {
    partitionKey: {},
    rowKey: {},
  });
  let continuation: string | undefined;
  while (range !== undefined) {
    io.signal.throwIfAborted();
    const page = await old.page({ range, limit: PAGE_ROWS, continuation, where: undefined });
    rows += page.rows.length;
    for (const { partitionKey, rowKey, state } of page.rows) {
      const fault = findMarkFault([...state.fields.keys()], wireVersion);
      if (fault !== undefined) refuse({ partitionKey, rowKey, why: fault.text });
    }
    progress.update('rows', rows);
    range = page.rest;
    continuation = page.continuation;
  }
  return { rows, refusedCount, refused };
}

async function takeOver(
  session: Session,
  options: TakeOverOptions & { readonly back: boolean },
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { region, apply, confirm, back } = options;
  const taken = await findTaken(session, region, name);
  requireHome(taken, region);
  const { table, source, catalogue } = taken;
  if (back) return giveBack(session, taken, apply);
  const isBefore = source.state === 'proxy' || source.state === 'frozen';
  if (!isBefore) {
    return tellSource(
      table,
      `${table.name} is taken over already: it is ${source.state}. See tandem tables status.`,
    );
  }
  const regions = await requireRegions(session, source.from);
  const heldText = `${Math.ceil(FREEZE_MS / 1_000)} seconds`;
  if (!apply) {
    return tellSource(
      table,
      `Would hold writes to ${table.name} for some ${heldText} and serve it in ${regions.length} regions from then on. No ` +
        `client may have the old address any more: renew the key of ${source.from} that they had. Run it with --apply.`,
    );
  }
  await requireConfirmation(session, {
    region,
    what: `take over the table ${table.name}, to which nobody may write at its old address any more`,
    given: confirm,
  });
  const store = await openAccount(session, regionNamed(regions, region), source.from);
  const { sinceMs } = await catalogue.advance(name, { kind: 'freeze' }, table.generation);
  session.tell(`${table.name} is frozen: writes wait.`);
  // By the time from here on alone, whatever the clock was when somebody else froze it.
  await session.io.clock.sleep(FREEZE_MS, session.io.signal);
  session.io.signal.throwIfAborted();
  const lastWrittenMs = (await store.timeMs()) ?? session.io.clock.nowMs();
  const event = { kind: 'overlay' as const, lastWrittenMs, sinceMs };
  const next = await catalogue.advance(name, event, table.generation);
  return tellSource(
    { ...table, source: next },
    `${table.name} is taken over, and every region serves it. ${region} copies its rows: tandem tables status ${table.name} ` +
      'tells how far it is.',
    true,
  );
}

async function giveBack(
  { io }: Session,
  { table, source, catalogue }: Taken,
  apply: boolean,
): Promise<Outcome> {
  const thaw = { kind: 'thaw' as const };
  // Refused as the act would be.
  const next = advanceSource(source, thaw, { table: table.name, nowMs: io.clock.nowMs() });
  const after = `${table.name} is forwarded to its old table`;
  if (next === source) return tellSource(table, `${after} already.`);
  if (!apply) {
    return tellSource(
      table,
      `Would forward ${table.name} to its old table again. Run it with --apply.`,
    );
  }
  const given = await catalogue.advance(table.name, thaw, table.generation);
  return tellSource({ ...table, source: given }, `${after}.`, true);
}

/** Tells where the rows of a table come from, where they go to, and between which spaces they move. */
async function status(
  session: Session,
  options: TakeOverOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const table = (await (await openCatalogue(session, options.region)).findNow(name))?.table;
  const { regions } = await session.inventory();
  const moved = hasMoved(table)
    ? await showMove(
        session,
        table,
        regions.map((one) => one.name),
      )
    : undefined;
  const mirrored = table?.mirror === undefined ? undefined : await showMirror(session, table);
  const isOther = moved !== undefined || mirrored !== undefined;
  const taken =
    table?.source === undefined && isOther ? undefined : await takenStatus(session, options, name);
  const told = [taken, mirrored, moved].filter((one) => one !== undefined);
  const isFinding = told.some(({ exitCode }) => exitCode === EXIT.finding);
  return {
    text: told.map(({ text }) => text).join('\n'),
    json: {
      ...(taken ?? mirrored)?.json,
      ...(taken === undefined || mirrored === undefined ? {} : { mirrored: mirrored.json }),
      ...(moved === undefined ? {} : { moved: moved.json }),
    },
    exitCode: isFinding ? EXIT.finding : EXIT.ok,
  };
}

async function takenStatus(
  session: Session,
  { region }: TakeOverOptions,
  name: string,
): Promise<Outcome> {
  const { table, source, tableId } = await findTaken(session, region, name);
  const home = await session.of(catalogKind).openAsIs(source.home);
  const seen = await createCopyRecord({ store: home.store, tableId }).look();
  const record = seen.kind === 'value' ? seen.value : undefined;
  const pace = record === undefined ? undefined : paceOf(record, source.rows);
  const { regions } = await session.inventory();
  const known: [string, string][] = [];
  for (const one of regions) {
    const { store } = await session.of(catalogKind).openAsIs(one.name);
    const own = currentTable((await readTables({ store })).get(table.key))?.source;
    const state = readable(own)?.state ?? 'not heard';
    known.push([one.name, one.name === source.home ? `${state} (home)` : state]);
  }
  const left =
    source.state !== 'overlay' || pace?.leftMs === null || pace === undefined
      ? ''
      : `, some ${durationText(Math.max(1_000, pace.leftMs))} left`;
  const lines = [
    escapeValue(
      `${table.name} is ${source.state} since ${timeText(source.sinceMs)}: table ${source.table} of ${source.from}` +
        (source.rows === undefined ? '.' : `, ${source.rows} rows when it was adopted.`),
    ),
    textTable(['region', 'state'], known),
    ...(record === undefined
      ? []
      : [
          `Copied: ${record.read} rows read, ${record.written} written, ${record.refusedCount} refused, ` +
            `${record.strayCount} written past us; ${pace?.rowsPerSecond ?? 0} rows/s${left}.`,
        ]),
    ...(record?.trouble ? [escapeValue(`It waits: ${record.trouble}`)] : []),
    ...(record === undefined || record.refused.length + record.stray.length === 0
      ? []
      : [describeRows([...record.refused, ...record.stray])]),
    ...(source.proof === undefined ? [] : [describeProof(source.proof)]),
  ];
  return {
    text: lines.join('\n'),
    json: {
      ...sourceJson(table),
      regions: Object.fromEntries(known),
      copy: record === undefined ? null : { ...record, ...pace },
    },
    exitCode:
      record !== undefined && record.refusedCount + record.strayCount > 0 ? EXIT.finding : EXIT.ok,
  };
}

/** Compares the old table with every region that has rows of it. */
async function compare(
  session: Session,
  { table, source, tableId }: Taken,
): Promise<{ readonly report: CopyReport; readonly names: readonly string[] }> {
  const kind = rowsKindOf(table);
  const { regions: inventory } = await session.inventory();
  const regions: CliRegion[] = [];
  for (const one of inventory) {
    if (table.replicate === 'none' && one.name !== source.home) continue;
    regions.push(await session.of(kind).openOne(one.name));
  }
  const store = await openAccount(session, regionNamed(regions, source.home), source.from);
  const report = await verifyCopy({
    openOld: (onRefused) => createOldTable({ store, table: source.table, tableId, onRefused }),
    tableId,
    regions: regions.map(({ name: one, store: own, bucketCount }) => ({
      name: one,
      replica: createTableReplica({ store: own, kind, bucketCount }),
    })),
    signal: session.io.signal,
    onPage: (rows) => {
      session.progress.update('rows', rows);
      for (const one of regions) one.beginRound();
    },
  });
  return { report, names: regions.map((one) => one.name) };
}

async function verify(
  session: Session,
  { region, apply }: TakeOverOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const taken = await findTaken(session, region, name);
  requireHome(taken, region);
  const { table, source, catalogue } = taken;
  if (source.state === 'proxy' || source.state === 'frozen') {
    throw new UsageError(`Table ${table.name} is ${source.state}: nothing of it is copied yet.`);
  }
  const { report, names } = await compare(session, taken);
  const { rows, untouched, changed, deleted, digest } = report;
  const isProven = report.faultCount === 0;
  const proof: SourceProof = {
    rows,
    untouched,
    changed,
    deleted,
    digest,
    atMs: Math.trunc(session.io.clock.nowMs()),
    regions: [...names],
  };
  const isDone = isProven && apply && source.state === 'copied';
  const next = isDone
    ? await catalogue.advance(name, { kind: 'prove', proof }, table.generation)
    : source;
  const lines = [
    isProven
      ? describeProof(proof)
      : `${report.faultCount} of ${rows} old rows are not as they must be.`,
    ...(isProven ? [] : [describeRows(report.faults)]),
    textTable(
      ['region', 'untouched', 'changed', 'deleted', 'different', 'missing'],
      report.regions.map(({ name: one, counts }) => [
        one,
        ...[counts.untouched, counts.changed, counts.deleted, counts.different, counts.missing].map(
          String,
        ),
      ]),
    ),
    describeNext({ table, source: next }, { isProven, isDone, apply }),
  ];
  return {
    text: lines.join('\n'),
    json: {
      applied: isDone,
      proven: isProven,
      ...report,
      ...sourceJson({ ...table, source: next }),
    },
    exitCode: isProven && (!apply || next.state === 'done') ? EXIT.ok : EXIT.finding,
  };
}

function describeNext(
  { table, source }: Pick<Taken, 'table' | 'source'>,
  {
    isProven,
    isDone,
    apply,
  }: { readonly isProven: boolean; readonly isDone: boolean; readonly apply: boolean },
): string {
  if (isDone) return `${table.name} is done: the old table is read no more.`;
  if (source.state === 'done') return `${table.name} was done ${timeText(source.sinceMs)}.`;
  if (!isProven) return `${table.name} stays ${source.state}.`;
  if (source.state === 'overlay') return `${table.name} is still copied: it can be done later.`;
  return apply ? '' : 'Run it with --apply to keep that, and to read the old table no more.';
}

function describeProof({
  rows,
  untouched,
  changed,
  deleted,
  digest,
  regions,
}: SourceProof): string {
  return (
    `Proven: each of ${rows} old rows is in ${regions.join(' and ')}: ${untouched} untouched, ${changed} changed, ` +
    `${deleted} deleted; digest ${digest}.`
  );
}

function describeRows(rows: readonly NamedRow[]): string {
  const [shown, more] = firstRows(rows, NAMED_MAX);
  return (
    textTable(
      ['PartitionKey', 'RowKey', 'why'],
      shown.map(({ partitionKey, rowKey, why }) => [partitionKey, rowKey, why]),
    ) + more
  );
}
