// The settings of a region, what is wrong with them, who changed what, and changing one; and what was done by way of the console.
import { tandemSettings } from '@tandem/storage';
import { UsageError } from '../../exit-codes.ts';
import { addAct, type Fields, submitHtml } from '../acts.ts';
import type { AuditLine } from '../audit.ts';
import { type Html, html, linesHtml, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs } from '../run-command.ts';
import { choiceHtml, regionOf, saidHtml, tableHtml } from './parts.ts';

const PATH = '/settings';

interface Shown {
  readonly setting: string;
  readonly value: string | null;
  readonly isSet: boolean;
  readonly oldName?: string;
}

interface Change {
  readonly setting: string;
  readonly atMs: number;
  readonly by: string;
  readonly before: string | null;
  readonly after: string | null;
}

export function settingsPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({ path: PATH, title: 'Settings', render: (visit) => settingsHtml(visit, tools) });
  const back = { path: PATH, label: 'Back to the settings' };
  const loses = (fields: Fields) => ({ region: fields.typed('region'), takesConfirm: false });
  const alsoTakes = (fields: Fields) =>
    KEEPING.includes(openSetting(fields)) ? 'erase' : undefined;
  addAct(routes, tools, {
    path: '/settings/set',
    title: 'Set a setting',
    verb: 'Set it',
    back,
    args: (fields) => [
      'config',
      'set',
      openSetting(fields),
      argument(fields.typed('value')),
      ...optionArgs('--region', fields.typed('region')),
    ],
    loses,
    isHeldToPreview: true,
    alsoTakes,
  });
  addAct(routes, tools, {
    path: '/settings/unset',
    title: 'Take a setting away',
    verb: 'Take it away',
    back,
    args: (fields) => [
      'config',
      'unset',
      openSetting(fields),
      ...optionArgs('--region', fields.typed('region')),
    ],
    loses,
    isHeldToPreview: true,
    alsoTakes,
  });
}

const OPEN = Object.entries(tandemSettings).flatMap(([name, { isSecret }]) =>
  isSecret ? [] : [name],
);

/** How long, or how much, is kept of lost values, of the past and of deleted tables: with less of it they go for good. */
const KEEPING = OPEN.filter((name) => /Keep|Promise/.test(name));

/** Returns the setting that is meant. Throws `UsageError` for a secret: the page and the audit show what a command is given. */
function openSetting(fields: Fields): string {
  const name = fields.typed('setting');
  if (OPEN.includes(name)) return name;
  throw new UsageError(
    'There is no such setting, or it is a secret: tandem config set <setting> - takes one from TANDEM_VALUE.',
  );
}

async function settingsHtml(visit: Visit, tools: ConsoleTools): Promise<Html> {
  const region = regionOf(visit, tools);
  const where = ['--region', region];
  const [get, check, history] = [
    ['config', 'get', ...where],
    ['config', 'check', ...where],
    ['config', 'history', ...where],
  ];
  const got = await tools.run(get);
  const choice = choiceHtml(tools, { path: PATH, region, hasTable: false });
  if (got.failure !== undefined) return html`${choice}${saidHtml(get, got)}`;
  const settings = (got.json['settings'] ?? []) as readonly Shown[];
  const checked = await tools.run(check, { asText: true });
  const changed = await tools.run(history);
  const changes = (changed.json['changes'] ?? []) as readonly Change[];
  return html`${choice}${saidHtml(check, checked)}${linesHtml(checked.text)}
<h2>Change one</h2>
<form method="post" action="/settings/set" class="choice">
<input type="hidden" name="formToken" value="${visit.visitor.formToken}"><input type="hidden" name="region" value="${region}">
<label for="setting">Setting</label> <select id="setting" name="setting">${OPEN.map((name) => html`<option>${name}</option>`)}</select>
<label for="value">Value</label> <input id="value" name="value" autocomplete="off">
${submitHtml(visit, { path: '/settings/set', label: 'Set it…' })} ${submitHtml(visit, { path: '/settings/unset', label: 'Take it away…', isElsewhere: true })}</form>
<p class="what">Services read settings when they start. Secrets are set by the command alone. What says how much is kept takes the role erase too: ${KEEPING.join(', ')}.</p>
<h2>All</h2>
${saidHtml(get, got)}${tableHtml('Settings', ['Setting', 'Value', 'Note'], settings.map(settingHtml))}
<h2>Who changed what</h2>
${saidHtml(history, changed)}${
  changes.length === 0
    ? html`<p>Nothing was changed with the command.</p>`
    : tableHtml(
        'Changes',
        ['At', 'By', 'Setting', 'Before', 'After'],
        changes.toReversed().slice(0, CHANGES_MAX).map(changeHtml),
      )
}`;
}

/** The newest; the command lists all of them. */
const CHANGES_MAX = 200;

function settingHtml({ setting, value, isSet, oldName }: Shown): Html {
  const note = oldName === undefined ? '' : `set as ${oldName}`;
  const shown =
    value === null || value === '' ? html`<span class="unknown">none</span>` : valueHtml(value);
  const span = /Ms(?:Max)?$/.test(setting) ? spanText(Number(value)) : '';
  return html`<tr><th scope="row">${setting}</th><td>${shown}${span !== '' && html` <small>${span}</small>`}</td><td>${isSet ? note : 'default'}</td></tr>`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** Writes milliseconds in the largest unit of which they are a whole number; nobody reads 7776000000. */
function spanText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, size]) => ms > 0 && ms % size === 0) ?? [];
  return unitMs === undefined ? '' : `${(ms / unitMs).toLocaleString('en')} ${unit}`;
}

function changeHtml({ setting, atMs, by, before, after }: Change): Html {
  return html`<tr><td>${dateHtml(atMs)}</td><td>${valueHtml(by)}</td><td>${setting}</td><td>${valueHtml(before ?? 'nothing')}</td><td>${valueHtml(after ?? 'unset')}</td></tr>`;
}

const DONE: Readonly<Record<AuditLine['what'], string>> = {
  begun: 'began',
  ended: 'ended',
  looked: 'asked for values',
  stopped: 'stopped',
};

/** Shows what was done by way of the console, the newest first. */
export function auditPage({ page }: ConsoleRoutes, { audit }: ConsoleTools): void {
  page({
    path: '/audit',
    title: 'Audit',
    render: async () => {
      const lines = await audit.read();
      return html`<p>The newest first, from <code>${audit.file}</code>. Commands that were typed in a terminal are not here.</p>
${lines.length === 0 ? html`<p>Nothing was done by way of the console yet.</p>` : tableHtml('Audit', ['At', 'Who', 'What', 'Command', 'Exit code'], lines.map(auditLineHtml))}`;
    },
  });
}

function auditLineHtml({ atMs, person, what, command, exitCode }: AuditLine): Html {
  return html`<tr><td>${dateHtml(atMs)}</td><td>${valueHtml(person)}</td><td>${DONE[what]}</td><td><code>${command}</code></td><td>${exitCode ?? ''}</td></tr>`;
}
