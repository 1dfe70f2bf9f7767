// The tables that clients made: each with its policy and how long it keeps what it had; what was deleted can come back.
import { addAct, buttonHtml } from '../acts.ts';
import { type Html, html, linesHtml, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs } from '../run-command.ts';
import { choiceHtml, moreHtml, ROWS_MAX, regionOf, saidHtml, tableHtml, tableOf } from './parts.ts';

const PATH = '/tables';

interface Table {
  readonly name: string;
  readonly generation: string;
  readonly policy: string;
  readonly replicate: string;
  readonly createdMs: number | null;
}

export function tablesPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({
    path: PATH,
    title: 'Tables',
    render: async (visit) => {
      const region = regionOf(visit, tools);
      const choice = choiceHtml(tools, {
        path: PATH,
        region,
        table: tableOf(visit),
        hasTable: true,
        placeholder: 'all of them',
      });
      return html`${choice}${await contentHtml(visit, tools)}`;
    },
  });
  const back = { path: PATH, label: 'Back to the tables' };
  addAct(routes, tools, {
    path: '/tables/delete',
    title: 'Delete a table',
    verb: 'Delete it in every region',
    back,
    args: (fields) => [
      'tables',
      'delete',
      argument(fields.one('table')),
      ...optionArgs('--region', fields.one('region')),
    ],
    loses: (fields) => ({ region: fields.one('region'), takesConfirm: true }),
  });
  addAct(routes, tools, {
    path: '/tables/restore',
    title: 'Bring a table back',
    verb: 'Bring it back',
    back,
    args: (fields) => [
      'tables',
      'restore',
      argument(fields.one('table')),
      ...optionArgs('--region', fields.one('region')),
    ],
  });
}

/** Shows one table by all that it ever was, where the address names one; else the list. */
async function contentHtml(visit: Visit, tools: ConsoleTools): Promise<Html> {
  const region = regionOf(visit, tools);
  const table = tableOf(visit);
  const where = optionArgs('--region', region);
  if (table === undefined) {
    const args = ['tables', 'list', ...where];
    const run = await tools.run(args);
    const tables = (run.json['tables'] ?? []) as readonly Table[];
    return html`${saidHtml(args, run)}${run.failure === undefined && listHtml(visit, { region, tables })}`;
  }
  const args = ['tables', 'show', argument(table), ...where];
  const run = await tools.run(args, { asText: true });
  const said = saidHtml(args, run);
  if (run.failure !== undefined) return said;
  const fields = { table, region };
  return html`${said}${linesHtml(run.text)}
${buttonHtml(visit, { path: '/tables/delete', label: 'Delete it…', fields })} ${buttonHtml(visit, { path: '/tables/restore', label: 'Bring it back…', fields })}
<p><a href="${`${PATH}?${new URLSearchParams({ region }).toString()}`}">All tables of ${region}</a></p>`;
}

function listHtml(
  visit: Visit,
  { region, tables }: { readonly region: string; readonly tables: readonly Table[] },
): Html {
  if (tables.length === 0) return html`<p>There are no tables of clients.</p>`;
  const rows = tables.slice(0, ROWS_MAX).map((table) => {
    const query = new URLSearchParams({ region, table: table.name }).toString();
    return html`<tr><td><a href="${`${PATH}?${query}`}">${valueHtml(table.name)}</a></td><td>${table.generation}</td><td>${table.policy}</td><td>${table.replicate}</td><td>${table.createdMs === null ? 'not known' : dateHtml(table.createdMs)}</td><td>${buttonHtml(
      visit,
      { path: '/tables/delete', label: 'Delete…', fields: { table: table.name, region } },
    )}</td></tr>`;
  });
  const head = ['Table', 'Generation', 'Merge policy', 'Replicated to', 'Created', 'Act'];
  return html`${tableHtml('Tables', head, rows)}${moreHtml(tables.length, ROWS_MAX)}`;
}
