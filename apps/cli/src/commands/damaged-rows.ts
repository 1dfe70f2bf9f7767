import type { TableRow } from '@tandem/core';
import type { DamagedRowFound, DamagedRows, RowAddress } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { damagedRowsOf } from '../regions/find-damage.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface RowOptions {
  readonly region: string;
  readonly apply: boolean;
}

const SHOWN_MAX = 50;
/** What `list` keeps of them: whoever has more of them mends the cause first. */
const LISTED_MAX = 10_000;

const MOVES = {
  'set-aside': {
    description:
      'takes a row out of the way under another key of its partition, with every byte of it: what it ' +
      'holds counts as owed, and no receipt claims it, until it is put back or discarded',
    done: 'was set aside',
    run: (rows: DamagedRows, address: RowAddress) => rows.setAside(address),
  },
  'put-back': {
    description: 'gives a row that was set aside its own key again, as when a build can read it',
    done: 'was put back',
    run: (rows: DamagedRows, address: RowAddress) => rows.putBack(address),
  },
  discard: {
    description:
      'deletes a row that was set aside, for good: run tandem repair and tandem verify before, which bring ' +
      'what was written in this region to the others',
    done: 'was deleted',
    run: async (rows: DamagedRows, address: RowAddress) => {
      await rows.discard(address);
      return address;
    },
  },
} as const;

export function addDamagedRows({ program, act }: Cli): void {
  const group = program
    .command('damaged-rows')
    .description(
      'Rows that nobody can read, of the outbox, the archive, the conflicts or the entities, and rows that ' +
        'something else wrote: lists, shows, sets aside, puts back, discards them. Each takes --region; what ' +
        'moves something takes --apply.',
    );
  const of = 'whose tables';
  act<RowOptions>(
    group
      .command('list')
      .description('all of them, by their keys: reads every row')
      .requiredOption('--region <region>', of),
    list,
  );
  act<RowOptions>(
    group
      .command('show')
      .argument('<row>', '<table>/<partition key>/<row key>, as list shows it')
      .description('one of them, column by column, with what is in it')
      .requiredOption('--region <region>', of),
    show,
  );
  for (const [name, { description }] of Object.entries(MOVES)) {
    act<RowOptions>(
      group
        .command(name)
        .argument('<row>', '<table>/<partition key>/<row key>, as list shows it')
        .description(description)
        .requiredOption('--region <region>', of)
        .option('--apply', 'does it', false),
      (session, options, [row = '']) =>
        move(session, options, { row, name: name as keyof typeof MOVES }),
    );
  }
}

async function list(session: Session, { region: name }: RowOptions): Promise<Outcome> {
  const rows = await damagedRowsOf(session, await session.openOne(name));
  const found: DamagedRowFound[] = [];
  let count = 0;
  for await (const one of rows.scan()) {
    session.io.signal.throwIfAborted();
    count += 1;
    if (found.length < LISTED_MAX) found.push(one);
  }
  const [shown, more] = firstRows(found, SHOWN_MAX);
  const table = textTable(
    ['row', 'state', 'problem'],
    shown.map((one) => [nameOf(one), one.state, one.problem]),
  );
  return {
    text: count === 0 ? `Every row of ${name} can be read.` : `${table}${more}\n${count} in all.`,
    json: { region: name, count, rows: found.map((one) => ({ row: nameOf(one), ...one })) },
    exitCode: count === 0 ? EXIT.ok : EXIT.damaged,
  };
}

async function show(
  session: Session,
  { region: name }: RowOptions,
  [row = '']: readonly string[],
): Promise<Outcome> {
  const rows = await damagedRowsOf(session, await session.openOne(name));
  const found = await rows.read(addressIn(row));
  if (found === undefined) throw new UsageError(`There is no row ${row} in ${name}.`);
  const columns = columnsOf(found);
  return {
    text: columns
      .map(([column, type, value]) => escapeValue(`${column} ${type} ${value}`))
      .join('\n'),
    json: { region: name, row, columns },
  };
}

async function move(
  session: Session,
  { region: name, apply }: RowOptions,
  { row, name: verb }: { readonly row: string; readonly name: keyof typeof MOVES },
): Promise<Outcome> {
  const address = addressIn(row);
  const rows = await damagedRowsOf(session, await session.openOne(name));
  if (!apply) {
    // Refused as the act would be.
    rows.check(verb, address);
    const found = await rows.read(address);
    if (found === undefined) throw new UsageError(`There is no row ${row} in ${name}.`);
    const text = escapeValue(`${row}: ${MOVES[verb].description}. Run it again with --apply.`);
    return { text, json: { region: name, row, applied: false } };
  }
  const to = nameOf(await MOVES[verb].run(rows, address));
  return {
    text: escapeValue(
      to === row ? `${row} ${MOVES[verb].done}.` : `${row} ${MOVES[verb].done}: ${to}.`,
    ),
    json: { region: name, row, applied: true, now: verb === 'discard' ? null : to },
  };
}

function nameOf({ table, partitionKey, rowKey }: RowAddress): string {
  return `${table}/${partitionKey}/${rowKey}`;
}

/** Reads the three parts of an address, which no slash in a key confuses: no key holds one. */
function addressIn(row: string): RowAddress {
  const [table = '', partitionKey, rowKey, ...rest] = row.split('/');
  if (partitionKey !== undefined && rowKey !== undefined && rest.length === 0) {
    return { table, partitionKey, rowKey };
  }
  throw new UsageError(`"${row}" names no row: tandem damaged-rows list shows how they are named.`);
}

function columnsOf({ properties }: TableRow): (readonly [string, string, string])[] {
  return [...properties].map(([column, { type, value }]) => [
    column,
    type,
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value),
  ]);
}
