// The tables that clients made: each with its policy and how long it keeps what it had; what was deleted can come back.
import { addAct, buttonHtml } from '../acts.ts';
import { type Html, html, linesHtml, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs, shownCommand } from '../run-command.ts';
import { beginHtml } from './long-run.ts';
import { directionsHtml } from './overview.ts';
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
    path: '/tables/thaw',
    title: 'Forward a table again',
    verb: 'Forward it again',
    back,
    args: (fields) => [
      'tables',
      'take-over',
      argument(fields.one('table')),
      ...optionArgs('--region', fields.one('region')),
      '--back',
    ],
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
    return html`${saidHtml(args, run)}${run.failure === undefined && listHtml(visit, { region, tables })}${adoptHtml(visit, region)}`;
  }
  const args = ['tables', 'show', argument(table), ...where];
  const run = await tools.run(args, { asText: true });
  const said = saidHtml(args, run);
  if (run.failure !== undefined) return said;
  const fields = { table, region };
  const own = html`<input type="hidden" name="table" value="${table}">`;
  return html`${said}${linesHtml(run.text)}
${beginHtml(visit, { kind: 'verify', label: 'Count its rows and bytes in every region, and compare them', content: own })}
${buttonHtml(visit, { path: '/tables/delete', label: 'Delete it…', fields, look: 'loses' })} ${buttonHtml(visit, { path: '/tables/restore', label: 'Bring it back…', fields })}
<h2>Lag</h2>
<p class="what">All tables go the same way from region to region.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Directions">${directionsHtml(tools.watch.regions(), tools.clock.nowMs())}</div>
${await takenHtml(visit, tools, { table, region })}
<p><a href="${`${PATH}?${new URLSearchParams({ region }).toString()}`}">All tables of ${region}</a></p>`;
}

/** How far a table is that is taken over from a plain one or moves to other buckets, and how a plain one is kept equal to it. */
async function takenHtml(
  visit: Visit,
  tools: ConsoleTools,
  { table, region }: { readonly table: string; readonly region: string },
): Promise<Html> {
  const where = [argument(table), ...optionArgs('--region', region)];
  const [taken, mirror] = [
    ['tables', 'status', ...where],
    ['tables', 'mirror', ...where],
  ];
  const status = await tools.run(taken, { asText: true });
  const mirrored = await tools.run(mirror, { asText: true });
  const fields = html`<input type="hidden" name="table" value="${table}"><input type="hidden" name="region" value="${region}">`;
  const verbs = html`${beginHtml(visit, { kind: 'take-over', label: 'Plan to end the forwarding…', content: fields })}
${beginHtml(visit, { kind: 'verify-copy', label: 'Compare with the old table', content: fields })}
${buttonHtml(visit, { path: '/tables/thaw', label: 'Forward it again…', fields: { table, region } })}`;
  return html`<h2>Taken over, or moved</h2>
<p class="command">Same as <code>${shownCommand(taken)}</code></p>
${linesHtml(status.failure?.message ?? status.text)}${status.failure === undefined && verbs}
<h2>Mirrored</h2>
<p class="command">Same as <code>${shownCommand(mirror)}</code></p>
${linesHtml(mirrored.failure?.message ?? mirrored.text)}`;
}

function adoptHtml(visit: Visit, region: string): Html {
  const content = html`<input type="hidden" name="region" value="${region}">
<label for="adopt-table">Table</label> <input id="adopt-table" name="table" size="14" required autocomplete="off">
<label for="adopt-from">of the source</label> <input id="adopt-from" name="from" size="14" required autocomplete="off">
`;
  return html`<h2>Take over a plain table</h2>
<p>${region} serves it by forwarding to its old account, which Tables.Sources names; nothing is copied yet. What is to be served is counted first.</p>
${beginHtml(visit, { kind: 'adopt', label: 'Plan it…', content })}`;
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
      {
        path: '/tables/delete',
        label: 'Delete…',
        fields: { table: table.name, region },
        look: 'loses',
      },
    )}</td></tr>`;
  });
  const head = ['Table', 'Generation', 'Merge policy', 'Replicated to', 'Created', 'Act'];
  return html`${tableHtml('Tables', head, rows)}${moreHtml(tables.length, ROWS_MAX)}`;
}
