// Edits that had not seen each other: which lost, both values once somebody asks for them, and how to take one back.
import { type Stamp, stampRegion, stampTimeMs } from '@tandem/core';
import { addAct, buttonHtml, fieldsOf } from '../acts.ts';
import { type Html, html, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs, shownCommand } from '../run-command.ts';
import { nameHtml } from './at-risk.ts';
import {
  choiceHtml,
  HIDDEN,
  LISTED_MAX,
  listKinds,
  longTableHtml,
  regionOf,
  saidHtml,
  tableArgs,
  tableHtml,
  tableOf,
} from './parts.ts';

const PATH = '/conflicts';

interface Side {
  readonly stamp: Stamp;
  readonly value: readonly [string, unknown] | null;
}

interface Conflict {
  readonly conflict: string;
  readonly id: string;
  readonly partitionKey?: string;
  readonly rowKey?: string;
  readonly atMs: number;
  readonly fields: readonly { readonly name: string; readonly won: Side; readonly lost: Side }[];
  readonly life: { readonly survives: boolean } | null;
}

export function conflictsPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({
    path: PATH,
    title: 'Conflicts',
    render: async (visit) => {
      const region = regionOf(visit, tools);
      const limit = String(LISTED_MAX);
      const listed = await listKinds(visit, tools, (table) =>
        ['conflicts', 'list', '--region', region].concat(tableArgs(table), '--limit', limit),
      );
      const choice = choiceHtml(tools, {
        path: PATH,
        region,
        table: tableOf(visit),
        hasTable: true,
        placeholder: 'all of them',
      });
      const found = listed
        .flatMap(({ run, table }) =>
          ((run.json['conflicts'] ?? []) as readonly Conflict[]).map((one) => ({ one, table })),
        )
        .sort((a, b) => b.one.atMs - a.one.atMs);
      const shown = found.slice(0, LISTED_MAX);
      const rows = shown.map(({ one, table }) => rowHtml(visit, one, { region, table }));
      const isRead = listed.every(({ run }) => run.failure === undefined);
      return html`${choice}${listed.map(({ args, run }) => saidHtml(args, run))}
${isRead && rows.length === 0 && html`<p>There are no conflicts.</p>`}
${rows.length > 0 && longTableHtml('Conflicts', ['At', 'Id', 'What lost', 'Act'], rows)}
${rows.length === LISTED_MAX && html`<p>The newest ${LISTED_MAX.toLocaleString('en')} are shown; the command lists more with a higher <code>--limit</code>.</p>`}`;
    },
  });
  routes.form({
    path: '/conflicts/show',
    title: 'One conflict',
    links: PATH,
    render: (visit) => show(visit, tools),
  });
  addAct(routes, tools, {
    path: '/conflicts/restore',
    title: 'Restore what lost',
    verb: 'Restore it',
    back: { path: PATH, label: 'Back to the conflicts' },
    args: (fields) => [
      'conflicts',
      'restore',
      argument(fields.one('conflict')),
      ...optionArgs('--region', fields.one('region')),
      ...tableArgs(fields.one('table') || undefined),
      ...(fields.one('field') === '' ? [] : optionArgs('--field', fields.one('field'))),
    ],
    difference: (visit) => differenceHtml(visit, tools),
  });
}

function rowHtml(
  visit: Visit,
  one: Conflict,
  { region, table }: { readonly region: string; readonly table: string | undefined },
): Html {
  const fields = { conflict: one.conflict, region, table: table ?? '' };
  const lost = one.fields.map(({ name }) => html`${valueHtml(name)} ${HIDDEN} `);
  return html`<tr><td>${dateHtml(one.atMs)}</td><td>${nameHtml(one)}</td><td>${lost}${fateText(one)}</td><td>${buttonHtml(visit, { path: '/conflicts/show', label: 'Show both values', fields })}</td></tr>`;
}

function fateText({ fields, life }: Conflict): string {
  if (life !== null) return life.survives ? 'the deletion lost' : 'the write lost';
  return fields.length === 0 ? 'nothing: different fields' : '';
}

/** Reads the values, and has the audit say that somebody asked for them. */
async function readValues(visit: Visit, tools: ConsoleTools) {
  const fields = fieldsOf(visit.fields);
  const region = fields.one('region');
  const table = fields.one('table');
  const args = [
    'conflicts',
    'show',
    argument(fields.one('conflict')),
    ...optionArgs('--region', region),
    ...tableArgs(table || undefined),
  ];
  await tools.audit.write({
    person: visit.visitor.person,
    what: 'looked',
    command: shownCommand(args),
  });
  const run = await tools.run(args);
  return { args, run, conflict: run.json as unknown as Conflict, region, table };
}

/** A restoring is refused where somebody has written since, so what won is what is there. */
async function differenceHtml(visit: Visit, tools: ConsoleTools): Promise<Html> {
  const { run, conflict } = await readValues(visit, tools);
  const wanted = fieldsOf(visit.fields).one('field');
  const rows = (run.failure === undefined ? conflict.fields : [])
    .filter(({ name }) => wanted === '' || name === wanted)
    .map(
      ({ name, won, lost }) =>
        html`<tr><th scope="row">${valueHtml(name)}</th><td>${sideHtml(won)}</td><td>${sideHtml(lost)}</td></tr>`,
    );
  return rows.length === 0 ? html`` : tableHtml('The difference', ['Field', 'Now', 'Then'], rows);
}

async function show(visit: Visit, tools: ConsoleTools): Promise<Html> {
  const { args, run, conflict, region, table } = await readValues(visit, tools);
  if (run.failure !== undefined) return saidHtml(args, run);
  const about = { conflict: conflict.conflict, region, table };
  const restore = (label: string, field: string): Html =>
    buttonHtml(visit, { path: '/conflicts/restore', label, fields: { ...about, field } });
  const rows = conflict.fields.map(
    ({ name, won, lost }) =>
      html`<tr><th scope="row">${valueHtml(name)}</th><td>${sideHtml(won)}</td><td>${sideHtml(lost)}</td><td>${restore('Restore…', name)}</td></tr>`,
  );
  const life =
    conflict.life === null
      ? html``
      : html`<p>Deleted in one region and written in the other; ${fateText(conflict)}.</p>`;
  return html`${saidHtml(args, run)}<p class="lead">${nameHtml(conflict)}, ${dateHtml(conflict.atMs)}</p>${life}
${rows.length > 0 && tableHtml('Both values', ['Field', 'Won', 'Lost', 'Act'], rows)}
<div class="row">${conflict.fields.length === 0 && conflict.life === null ? 'Nothing lost: there is nothing to restore.' : restore('Restore all that lost…', '')}</div>
<p><a href="${PATH}">Back to the conflicts</a></p>`;
}

function sideHtml({ value, stamp }: Side): Html {
  const shown =
    value === null ? html`<span class="unknown">none</span>` : valueHtml(String(value[1]));
  const where = html`in ${stampRegion(stamp)}, ${dateHtml(stampTimeMs(stamp))}`;
  return html`${shown}<br><small title="${stamp}">${where}</small>`;
}
