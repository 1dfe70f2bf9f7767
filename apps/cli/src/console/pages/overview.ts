// The first screen: one verdict a region, every figure that says what a loss would cost now, and the last hour.
import type { DirectionStatus, RegionStatus } from '@tandem/core';
import { oldestOwedText } from '../../report/describe-status.ts';
import { type Html, html, valueHtml } from '../html.ts';
import {
  conflictsText,
  countText,
  judgeAll,
  judgeRegion,
  type RegionView,
} from '../judge-region.ts';
import { ageHtml, ageText, badgeHtml, clockHtml, dateHtml, verdictHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools } from '../page.ts';
import { shownCommand, shownWord } from '../run-command.ts';
import type { PlotName, RegionWatch } from '../watch-regions.ts';

export function overviewPage({ page, data }: ConsoleRoutes, tools: ConsoleTools): void {
  const { watch, clock, processes } = tools;
  const render = (): Html =>
    html`${overviewHtml(watch, clock.nowMs())}${processes.length > 0 && lossesHtml(processes)}`;
  page({ path: '/', title: 'Regions', refreshMs: watch.refreshMs, render });
  data('/plots.json', () => plotsJson(watch));
}

interface PlotText {
  readonly title: string;
  /** On its axis. */
  readonly unit: string;
  readonly what: string;
}

const PLOTS: Readonly<Record<PlotName, PlotText>> = {
  lag: {
    title: 'Lag',
    unit: 's',
    what: 'The second region has all that the first acknowledged up to so long ago.',
  },
  outbox: {
    title: 'Oldest in the outbox',
    unit: 's',
    what: 'Age of the oldest change of the first region that it still owes to the second.',
  },
  writes: {
    title: 'Writes',
    unit: '/s',
    what: 'What the second region has applied of the first. A transaction counts as one.',
  },
  risk: {
    title: 'At risk',
    unit: 'writes',
    what: 'Acknowledged by the first region, and not known to be with the second.',
  },
};

function plotsJson({ plots }: RegionWatch): object {
  const names = Object.keys(PLOTS) as PlotName[];
  return {
    times: plots.times(),
    plots: Object.fromEntries(
      names.map((name) => [name, { unit: PLOTS[name].unit, series: plots.series(name) }]),
    ),
  };
}

function overviewHtml(watch: RegionWatch, nowMs: number): Html {
  const regions = watch.regions();
  return html`
<section id="verdict" data-live aria-live="polite" aria-label="Verdict">${verdictHtml(judgeAll(regions))}
<p class="front">${frontHtml(watch, nowMs)} ${proofHtml(regions, nowMs)}</p></section>
<h2>Regions</h2>
<div class="cards">${regions.map((view) => html`<section class="card" id="region-${view.name}" data-live aria-label="${view.name}">${regionHtml(view, nowMs)}</section>`)}</div>
<h2>Directions</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Directions" id="directions" data-live>${directionsHtml(regions, nowMs)}</div>
<h2>The last hour</h2>
<div class="plots">${(Object.entries(PLOTS) as [PlotName, PlotText][]).map(
    ([name, { title, unit, what }]) => html`<figure>
<figcaption><strong>${title}</strong> <span class="unit">${unit}</span> <span class="what">${what}</span></figcaption>
<div class="plot" data-plot="${name}" role="img" aria-label="${title} over the last hour; the newest figures are in the tables above."></div></figure>`,
  )}</div>
<noscript><p>The plots need the script of this page; all figures above are whole without it.</p></noscript>`;
}

/** Regions on this machine can be lost to see what that is like. */
function lossesHtml(processes: ConsoleTools['processes']): Html {
  return html`<h2>Lose a region, to see it</h2>
<p>These regions run on this machine. In a terminal, this ends the processes of one as its loss would, all but its tables, which
only Azure would keep. This page then says what is at risk and where clients are sent; <code>npm start</code> starts them again
within two minutes. Whether all is equal then, <a href="/recovery">Verify</a> proves.</p>
<ul class="losses">${processes.map(({ region, file }) => html`<li>${region}: <code id="lose-${region}">kill -9 $(cat ${shownWord(file)})</code></li>`)}</ul>`;
}

export function frontHtml(watch: RegionWatch, nowMs: number): Html {
  const sight = watch.trafficManager();
  if (!watch.hasTrafficManager) return html`The inventory names no traffic manager.`;
  if (sight === undefined)
    return html`Where the traffic manager sends clients is not known: it says nothing of itself.`;
  const { current, changedMs } = sight.value;
  const since = changedMs === undefined ? html`` : html`, since ${clockHtml(changedMs)}`;
  const where = current === undefined ? html`nowhere` : html`<strong>${current}</strong>`;
  return html`The traffic manager sends clients to ${where}${since}.${ageHtml(sight, nowMs)}`;
}

/**
 * All were proven equal together, so the oldest of their records is what holds for all. What is recorded is of the
 * customers: a table of clients may differ all the same.
 */
function proofHtml(regions: readonly RegionView[], nowMs: number): Html {
  const proofs = regions.map(({ status }) => status?.value.provenEqualMs);
  const known = proofs.filter((proof) => proof !== undefined);
  if (known.length < proofs.length || known.length === 0) {
    return html`The customers are <strong>not proven equal</strong>: <code>${shownCommand(['verify'])}</code> does it.`;
  }
  const oldest = Math.min(...known);
  return html`The customers are proven equal as of <strong>${dateHtml(oldest)}</strong>, ${ageText(Math.max(0, nowMs - oldest))} ago.`;
}

const UNKNOWN = html`<span class="unknown">not known</span>`;

function regionHtml(view: RegionView, nowMs: number): Html {
  const verdict = judgeRegion(view);
  const { name, status, unseen } = view;
  const since =
    unseen === undefined
      ? html``
      : html` <small>since ${clockHtml(unseen.atMs)}, ${ageText(nowMs - unseen.atMs)}</small>`;
  return html`<h3>${name} ${badgeHtml(verdict.level)}</h3>
<p><strong>${verdict.headline}</strong>${since}</p>
${verdict.reasons.length > 0 && html`<ul class="reasons">${verdict.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
${status !== undefined && unseen !== undefined && html`<p class="old">The figures are of ${clockHtml(status.atMs)}, ${ageText(nowMs - status.atMs)} old.</p>`}
<dl class="figures">
${figure('At risk now', 'at-risk', riskHtml(view, nowMs))}
${figure('Owed to all peers', 'owed', ofStatus(view, owedHtml))}
${figure(
  'Waiting in its queue',
  'waiting',
  ofStatus(view, ({ queue }) => countsHtml(queue, 'waiting')),
)}
${figure(
  'Dead letters',
  'dead-letters',
  linkHtml(
    `/dead-letters?region=${name}`,
    ofStatus(view, ({ queue }) => countsHtml(queue, 'deadLettered')),
  ),
)}
${figure(
  'Conflicts',
  'conflicts',
  linkHtml(
    `/conflicts?region=${name}`,
    ofStatus(view, ({ conflicts }) => html`${conflictsText(conflicts)}`),
  ),
)}
${figure(
  'Clock',
  'clock',
  ofStatus(view, ({ clockOffsetMs }) =>
    clockOffsetMs === undefined ? UNKNOWN : html`${signed(clockOffsetMs)}`,
  ),
)}
${figure(
  'Customers equal',
  'proven-equal',
  ofStatus(view, ({ provenEqualMs }) =>
    provenEqualMs === undefined ? html`never` : dateHtml(provenEqualMs),
  ),
)}
${figure(
  'Archive from',
  'archive-from',
  ofStatus(view, ({ archiveFromMs }) =>
    archiveFromMs === undefined ? html`its beginning` : dateHtml(archiveFromMs),
  ),
)}
${figure('Runs', 'runs', runsHtml(view, nowMs))}
${figure('Message version', 'wire', wireHtml(view, nowMs))}
</dl>`;
}

function runsHtml({ build }: RegionView, nowMs: number): Html {
  if (build === undefined) return UNKNOWN;
  const { version, wireVersionMax } = build.value;
  return html`${valueHtml(version)}, which reads messages up to version ${wireVersionMax}${ageHtml(build, nowMs)}`;
}

function wireHtml({ wireVersion }: RegionView, nowMs: number): Html {
  return wireVersion === undefined
    ? UNKNOWN
    : html`${wireVersion.value}${ageHtml(wireVersion, nowMs)}`;
}

function figure(term: string, name: string, value: Html): Html {
  return html`<div><dt>${term}</dt><dd data-figure="${name}">${value}</dd></div>`;
}

function linkHtml(path: string, content: Html): Html {
  return html`<a href="${path}">${content}</a>`;
}

function ofStatus({ status }: RegionView, show: (status: RegionStatus) => Html): Html {
  return status === undefined ? UNKNOWN : show(status.value);
}

function riskHtml({ name, risk, riskUnknown }: RegionView, nowMs: number): Html {
  const why =
    riskUnknown === undefined
      ? html``
      : html` <small class="old">cannot be told now: ${riskUnknown.value.code}</small>`;
  if (risk === undefined) return html`${UNKNOWN}${why}`;
  const { lost, delayed, unreadable, outOfReach } = risk.value;
  return html`<strong class="${lost + unreadable > 0 ? 'bad' : 'good'}"><a href="${`/at-risk?region=${name}`}">${countText(lost, 'write')}</a></strong> would be lost, ${delayed} late${
    unreadable > 0 && `, ${countText(unreadable, 'row')} unreadable`
  }${outOfReach.length > 0 && html` <small>without ${outOfReach.join(', ')}, out of reach</small>`}${ageHtml(risk, nowMs)}${why}`;
}

function owedHtml({ outbox }: RegionStatus): Html {
  return html`${!outbox.isComplete && 'at least '}${countText(outbox.owedToAll, 'change')}`;
}

function countsHtml(queue: RegionStatus['queue'], which: 'waiting' | 'deadLettered'): Html {
  if (queue === undefined) return UNKNOWN;
  return 'error' in queue
    ? html`${UNKNOWN} <small>${queue.error}</small>`
    : html`${queue[which].toLocaleString('en')}`;
}

function signed(ms: number): string {
  const text = (Math.abs(ms) / 1_000).toFixed(1);
  if (Number(text) === 0) return 'within 0.1 s of this machine';
  return `${text} s ${ms < 0 ? 'behind' : 'ahead of'} this machine`;
}

export function directionsHtml(regions: readonly RegionView[], nowMs: number): Html {
  return html`<table><thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col" class="number">Lag</th><th scope="col" class="number">Owed</th><th scope="col" class="number">Oldest owed</th><th scope="col">Peer accepts</th></tr></thead><tbody>${regions.flatMap(
    (from) =>
      regions.flatMap((to) => (to.name === from.name ? [] : [directionHtml({ from, to, nowMs })])),
  )}</tbody></table>`;
}

/** What goes out of a region is owed by it, and how late it is, its peer knows. */
function directionHtml({
  from,
  to,
  nowMs,
}: {
  from: RegionView;
  to: RegionView;
  nowMs: number;
}): Html {
  const owed = directionOf(from, to.name);
  const heard = directionOf(to, from.name);
  return html`<tr><th scope="row">${from.name}</th><td>${to.name}</td>
<td class="number">${heard?.lagMs === undefined ? UNKNOWN : ageText(heard.lagMs)}${ageHtml(to.status, nowMs)}</td>
<td class="number">${owed === undefined ? UNKNOWN : html`${from.status?.value.outbox.isComplete === false && 'at least '}${countText(owed.owedChanges, 'change')}`}${ageHtml(from.status, nowMs)}</td>
<td class="number">${owed === undefined || from.status === undefined ? UNKNOWN : oldestOwedText(owed, from.status.value, ageText)}</td>
<td>${owed?.isReachable === undefined ? UNKNOWN : owed.isReachable ? 'yes' : html`<strong class="bad">no</strong>`}</td></tr>`;
}

function directionOf({ status }: RegionView, peer: string): DirectionStatus | undefined {
  return status?.value.directions.find((one) => one.peer === peer);
}
