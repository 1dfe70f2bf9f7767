// The frame of every page, and the small things that all pages say in the same way.

import { ROLES, type Role } from './access.ts';
import { type Html, html } from './html.ts';
import { type Dated, LEVELS, type Level, type Verdict } from './judge-region.ts';

export interface NavLink {
  readonly path: string;
  readonly label: string;
}

export interface PageParts {
  readonly title: string;
  readonly path: string;
  readonly links: readonly NavLink[];
  readonly person: string;
  readonly roles: ReadonlySet<Role>;
  readonly formToken: string;
  readonly nowMs: number;
  readonly content: Html;
  /** Asks anew by itself, every so many milliseconds; only when somebody asks where it is undefined. */
  readonly refreshMs?: number | undefined;
}

const MS_PER_S = 1_000;

const PLOT_STYLES = html`<link rel="stylesheet" href="/assets/uplot.css">
`;

/** Begins every page; our own styles come after those of others, and win. */
export function headHtml(title: string, styles: Html = html``): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Tandem</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
${styles}<link rel="stylesheet" href="/assets/console.css">
<script type="module" src="/assets/console.js"></script>
`;
}

export function layout(parts: PageParts): Html {
  const { title, path, links, person, roles, nowMs, refreshMs } = parts;
  return html`${headHtml(title, PLOT_STYLES)}${
    refreshMs !== undefined &&
    html`<noscript><meta http-equiv="refresh" content="${Math.ceil(refreshMs / MS_PER_S)}"></noscript>`
  }
</head>
<body${refreshMs !== undefined && html` data-refresh-ms="${refreshMs}"`}>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar">
<span class="brand">Tandem</span>
<nav aria-label="Pages"><ul>${links.map(
    (link) =>
      html`<li><a href="${link.path}"${link.path === path && html` aria-current="page"`}>${link.label}</a></li>`,
  )}</ul></nav>
<form method="post" action="/leave" class="who">
<input type="hidden" name="formToken" value="${parts.formToken}">
<span>${person}${roles.size < ROLES.length && html` <small>${ROLES.filter((role) => roles.has(role)).join(', ')}</small>`}</span> <button class="quiet">Leave</button>
</form>
</header>
<p class="stale" role="alert" id="stale" hidden></p>
<main id="content" tabindex="-1">
<div class="title"><h1>${title}</h1><p class="asof" id="asof" data-live>As of ${clockHtml(nowMs)}${
    refreshMs !== undefined && `, every ${Math.ceil(refreshMs / MS_PER_S)} s`
  }</p></div>
${parts.content}
</main>
</body>
</html>
`;
}

/** Shows an instant in UTC. */
export function clockHtml(timeMs: number): Html {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return html`${timeMs} ms`;
  const iso = time.toISOString();
  return html`<time datetime="${iso}" title="${iso}">${iso.slice(11, 19)} UTC</time>`;
}

/** Shows an instant with its date. */
export function dateHtml(timeMs: number): Html {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return html`${timeMs} ms`;
  const iso = time.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
];

/** Writes how long something takes or is ago, to the precision at which it is read. */
export function ageText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, size]) => ms >= size) ?? ['s', MS_PER_S];
  const value = ms / unitMs;
  return unit === 's' && value < 10 ? `${value.toFixed(1)} s` : `${Math.floor(value)} ${unit}`;
}

/** A figure that is older than this says how old it is. */
const FRESH_MS_MAX = 15_000;

/** Returns how old a figure is, where it is old. */
export function ageHtml(figure: Dated<unknown> | undefined, nowMs: number): Html {
  if (figure === undefined) return html``;
  const ageMs = nowMs - figure.atMs;
  return ageMs <= FRESH_MS_MAX ? html`` : html` <small class="old">${ageText(ageMs)} old</small>`;
}

export function badgeHtml(level: Level, word = LEVELS[level].word): Html {
  return html`<span class="badge ${level}"><span aria-hidden="true">${LEVELS[level].sign}</span> ${word}</span>`;
}

export function verdictHtml({ level, headline, reasons }: Verdict): Html {
  return html`<div class="verdict ${level}">${badgeHtml(level)}<p><strong>${headline}</strong>${reasons.map((reason) => html` ${reason}`)}</p></div>`;
}
