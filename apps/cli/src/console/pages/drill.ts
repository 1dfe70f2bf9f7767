// What a loss would be like, a loss that is tried, and how the tries before it compare with what was predicted.
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Html, html } from '../html.ts';
import { judgeRegion } from '../judge-region.ts';
import { ageText, badgeHtml, dateHtml } from '../layout.ts';
import type { LongRun } from '../long-runs.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { beginHtml, pathOf, runsHtml } from './long-run.ts';
import { frontHtml } from './overview.ts';
import { tableHtml } from './parts.ts';

const PATH = '/drill';
const REFRESH_MS = 2_000;

const measuredSchema = Type.Object({
  forReal: Type.Literal(true),
  region: Type.String(),
  successor: Type.String(),
  failOverMs: Type.Number(),
  isWithinBounds: Type.Boolean(),
  bounds: Type.Object({
    soonestMs: Type.Number(),
    formulaMs: Type.Number(),
    worstMs: Type.Number(),
  }),
  catchUpMs: Type.Optional(Type.Number()),
  failBackMs: Type.Optional(Type.Number()),
  counts: Type.Object({ failed: Type.Number(), stale: Type.Number() }),
});

/** Is what `tandem drill --for-real --json` tells. */
type Measured = Static<typeof measuredSchema>;

/** Another build may have told it otherwise: then its run is listed, and its figures are not. */
const checkMeasured = Compile(measuredSchema);

export function drillPage({ page }: ConsoleRoutes, tools: ConsoleTools): void {
  page({
    path: PATH,
    title: 'Drill',
    refreshMs: REFRESH_MS,
    render: async (visit) => drillHtml(visit, tools),
  });
}

async function drillHtml(visit: Visit, { watch, runs, clock }: ConsoleTools): Promise<Html> {
  const regions = watch.regions();
  const drills = (await runs.list()).filter(({ kind }) => kind === 'drill');
  const content = html`<label for="region">Region</label> <select id="region" name="region">${regions.map(({ name }) => html`<option>${name}</option>`)}</select>
`;
  return html`<h2>What if a region vanished now?</h2>
<p>Says what would be lost, what late, and for how long clients would go on asking it. From that prediction the region can be taken out of traffic for a few seconds, watched and brought back.</p>
${beginHtml(visit, { kind: 'drill', label: 'Predict…', content })}
<h2>Now</h2>
<section id="now" data-live aria-label="Now"><p>${frontHtml(watch, clock.nowMs())}</p>
<ul class="reasons">${regions.map((view) => {
    const { level, headline } = judgeRegion(view);
    return html`<li>${badgeHtml(level)} ${headline}</li>`;
  })}</ul></section>
<h2>Measured against predicted</h2>
<div id="measured" data-live>${measuredHtml(drills)}</div>
<h2>All predictions and drills</h2>
<div id="runs" data-live>${runsHtml(drills)}</div>`;
}

function measuredHtml(drills: readonly LongRun[]): Html {
  const rows = drills.flatMap((run) => {
    const json = run.result?.json;
    return checkMeasured.Check(json) ? [measuredRow(run, json)] : [];
  });
  if (rows.length === 0) return html`<p>None was tried by way of the console yet.</p>`;
  const head = [
    'Begun',
    'Region',
    'Clients at',
    'After',
    'Predicted',
    'Caught up',
    'Back',
    'Failed',
    'Stale',
  ];
  return tableHtml('Drills', head, rows);
}

function measuredRow(run: LongRun, measured: Measured): Html {
  const { region, successor, failOverMs, isWithinBounds, bounds, counts } = measured;
  const optional = (ms: number | undefined): string =>
    ms === undefined ? 'not in time' : ageText(ms);
  return html`<tr><td><a href="${pathOf(run)}">${dateHtml(run.begunMs)}</a></td><td>${region}</td><td>${successor}</td>
<td>${ageText(failOverMs)} ${badgeHtml(isWithinBounds ? 'good' : 'bad', isWithinBounds ? 'within' : 'not within')}</td>
<td>${ageText(bounds.soonestMs)} to ${ageText(bounds.worstMs)}, ${ageText(bounds.formulaMs)} by the formula</td>
<td>${optional(measured.catchUpMs)}</td><td>${optional(measured.failBackMs)}</td><td>${counts.failed}</td><td>${counts.stale}</td></tr>`;
}
