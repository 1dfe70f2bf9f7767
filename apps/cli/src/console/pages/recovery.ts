// Proving the regions equal, making them so, and filling one from the others.
import { addAct, buttonHtml } from '../acts.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument } from '../run-command.ts';
import { beginHtml, runsHtml } from './long-run.ts';

const PATH = '/recovery';
const REFRESH_MS = 5_000;

export function recoveryPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({
    path: PATH,
    title: 'Recovery',
    refreshMs: REFRESH_MS,
    render: async (visit) => recoveryHtml(visit, tools),
  });
  addAct(routes, tools, {
    path: '/recovery/release',
    title: 'Release a held region',
    verb: 'Let it be ready unproven',
    back: { path: PATH, label: 'Back to the recovery' },
    args: (fields) => ['release-region', argument(fields.one('region'))],
    loses: (fields) => ({ region: fields.one('region'), takesConfirm: false }),
  });
}

async function recoveryHtml(visit: Visit, { watch, runs }: ConsoleTools): Promise<Html> {
  const names = watch.regions().map(({ name }) => name);
  const tableOf = (id: string): Html =>
    html`<label for="${id}">Table</label> <input id="${id}" name="table" size="14" placeholder="the customers" autocomplete="off"> `;
  const verify = beginHtml(visit, {
    kind: 'verify',
    label: 'Verify',
    content: tableOf('verify-table'),
  });
  const repair = beginHtml(visit, {
    kind: 'repair',
    label: 'Plan a repair…',
    content: html`${tableOf('repair-table')}<label><input type="checkbox" name="old" value="yes"> also what may have been deleted long ago</label> `,
  });
  const rebuild = beginHtml(visit, {
    kind: 'rebuild',
    label: 'Plan a rebuild…',
    content: html`<label for="region">Region</label> <select id="region" name="region">${names.map((name) => html`<option>${name}</option>`)}</select>
<label for="rebuild-table">Only table</label> <input id="rebuild-table" name="table" size="14" placeholder="all of it" autocomplete="off">
${names.length > 2 && html`<fieldset><legend>Without, because out of reach</legend>${names.map((name) => html`<label><input type="checkbox" name="without" value="${name}"> ${name}</label> `)}</fieldset>`} `,
  });
  const releases = names.map(
    (name) =>
      html`${buttonHtml(visit, { path: '/recovery/release', label: `Release ${name}…`, fields: { region: name } })} `,
  );
  return html`<h2>Are the regions equal?</h2>
<p>Reads every row and every conflict of every region; writes nothing but the proof.</p>
${verify}
<h2>Make them equal</h2>
<p>Joins their rows and their conflicts: nothing newer is overwritten. The plan is shown first.</p>
${repair}
<h2>Fill a region from the others</h2>
<p>An emptied or damaged region is held, which takes it out of traffic, and filled while the others serve. The plan is shown first.</p>
${rebuild}
<div class="row"><span>A region that stays held although it need not:</span> ${releases}</div>
<h2>Commands that took long</h2>
<div id="runs" data-live>${runsHtml(await runs.list())}</div>`;
}
