// One entity over all regions: who wrote what where, oldest first. Its id is sent as a form, never in an address.

import type { FormPath } from '../access.ts';
import { addAct, type Fields, fieldHtml, submitHtml } from '../acts.ts';
import { type Html, html, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs, shownCommand } from '../run-command.ts';
import { HIDDEN, moreHtml, ROWS_MAX, saidHtml, tableArgs, tableHtml } from './parts.ts';

const PATH = '/history';

interface Entry {
  readonly stamp: string;
  readonly atMs: number;
  readonly region: string;
  readonly operation: string;
  readonly changedFields: readonly string[];
  readonly values: Readonly<Record<string, readonly [string, unknown] | null>> | null;
  readonly archives: readonly string[];
}

export function historyPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({ path: PATH, title: 'History', render: (visit) => askHtml(visit, {}) });
  const form = (path: FormPath, isShown: boolean): void =>
    routes.form({ path, title: 'History', links: PATH, render: (visit) => show(visit, isShown) });
  const show = async (visit: Visit, isShown: boolean): Promise<Html> => {
    const { fields } = visit;
    const [table, id, partition, row] = ['table', 'id', 'partition', 'row'].map(
      (name) => fields.get(name)?.trim() ?? '',
    );
    const args = [
      'history',
      ...(id ? [argument(id)] : []),
      ...tableArgs(table || undefined),
      ...(partition ? optionArgs('--partition', partition) : []),
      ...(row ? optionArgs('--row', row) : []),
    ];
    if (isShown) {
      await tools.audit.write({
        person: visit.visitor.person,
        what: 'looked',
        command: shownCommand(args),
      });
    }
    const run = await tools.run(args);
    const entries = (run.json['entries'] ?? []) as readonly Entry[];
    const list = run.failure === undefined ? listHtml(entries, isShown) : html``;
    const asked = { table, id, partition, row, isShown };
    const isThere = run.failure === undefined && entries.length > 0;
    return html`${askHtml(visit, asked)}${saidHtml(args, run)}${list}${isThere && replayHtml(visit, tools, asked)}`;
  };
  form(PATH, false);
  form('/history/values', true);
  addAct(routes, tools, {
    path: '/history/replay',
    title: 'Back to a time',
    verb: 'Make it what it was',
    back: { path: PATH, label: 'Back to the history' },
    args: (fields) => [
      'replay',
      ...optionArgs('--from', fields.typed('region')),
      '--in-place',
      ...optionArgs('--before', fields.typed('before')),
      ...['entity', 'of', 'partition', 'row'].flatMap((name) => given(fields, name)),
    ],
    loses: (fields) => ({ region: fields.typed('region'), takesConfirm: true }),
  });
}

function given(fields: Fields, name: string): readonly string[] {
  const value = fields.one(name);
  return value === '' ? [] : optionArgs(`--${name}`, value);
}

/** The difference is shown first, as all that an act would do. */
function replayHtml(
  visit: Visit,
  { watch }: ConsoleTools,
  { table, id, partition, row }: Asked,
): Html {
  const about = { entity: id ?? '', of: table ?? '', partition: partition ?? '', row: row ?? '' };
  return html`<h2>Back to a time</h2>
<form method="post" action="/history/replay" class="choice"><input type="hidden" name="formToken" value="${visit.visitor.formToken}">
${Object.entries(about).map(([name, value]) => fieldHtml(name, value))}
<label for="region">By the archive of</label> <select id="region" name="region">${watch.regions().map(({ name }) => html`<option>${name}</option>`)}</select>
<label for="before">as before</label> <input id="before" name="before" required placeholder="2026-11-22T10:00:00Z" autocomplete="off">
${submitHtml(visit, { path: '/history/replay', label: 'Show the difference…' })}</form>
<p class="what">By a new write, which all regions follow; who writes meanwhile is not overwritten.</p>`;
}

interface Asked {
  readonly table?: string | undefined;
  readonly id?: string | undefined;
  readonly partition?: string | undefined;
  readonly row?: string | undefined;
  readonly isShown?: boolean;
}

/** In letters: an id is a GUID. */
const ID_SIZE = 36;
const KEY_SIZE = 14;

function askHtml(visit: Visit, { table, id, partition, row, isShown }: Asked): Html {
  const field = (name: string, label: string, value = ''): Html =>
    html`<label for="${name}">${label}</label> <input id="${name}" name="${name}" value="${value}" size="${name === 'id' ? ID_SIZE : KEY_SIZE}" autocomplete="off"> `;
  return html`<form method="post" action="${PATH}" class="choice">
<input type="hidden" name="formToken" value="${visit.visitor.formToken}">
<div class="row">${field('id', 'A customer, by its id', id)}</div>
<div class="row">${field('table', 'or a row of the table', table)}${field('partition', 'with PartitionKey', partition)}${field('row', 'and RowKey', row)}</div>
${submitHtml(visit, { path: PATH, label: 'Show' })} ${submitHtml(visit, { path: '/history/values', label: 'Show with values', isElsewhere: true })}</form>
${isShown === true && html`<p class="what">The audit says that the values were asked for.</p>`}`;
}

function listHtml(entries: readonly Entry[], isShown: boolean): Html {
  if (entries.length === 0) return html`<p>No archive has anything of it.</p>`;
  const rows = entries
    .slice(-ROWS_MAX)
    .map(
      (entry) =>
        html`<tr><td>${dateHtml(entry.atMs)}</td><td>${entry.region}</td><td>${entry.operation}</td><td>${entry.changedFields.map(
          (name) => html`${valueHtml(name)} ${isShown ? valueOf(entry, name) : HIDDEN}<br>`,
        )}</td><td>${entry.archives.join(', ')}</td></tr>`,
    );
  return html`${tableHtml('History', ['At', 'Written in', 'Operation', 'Fields', 'Archived in'], rows)}${moreHtml(entries.length, ROWS_MAX)}`;
}

function valueOf({ values }: Entry, name: string): Html {
  const value = values?.[name];
  return value === undefined || value === null
    ? html`<span class="unknown">none</span>`
    : valueHtml(String(value[1]));
}
