/**
 * Commands that take long: what each would do, how far it is, stopping it, going on, and a report that can be kept.
 * What writes is run without its flag first; its plan is shown, and the same command with the flag carries it out.
 */
import { createHash } from 'node:crypto';
import { EXIT, type ExitCode, UsageError } from '../../exit-codes.ts';
import { type Fields, fieldsOf, type Look, submitHtml } from '../acts.ts';
import { type Html, html, linesHtml, valueHtml } from '../html.ts';
import type { Level } from '../judge-region.ts';
import { ageText, badgeHtml, dateHtml } from '../layout.ts';
import type { LongRun } from '../long-runs.ts';
import { type ConsoleRoutes, type ConsoleTools, Elsewhere, type Visit } from '../page.ts';
import { argument, optionArgs, shownCommand } from '../run-command.ts';
import { tableHtml } from './parts.ts';

const PATH = '/recovery';
const SHOWN = '/recovery/run';
/** Fast enough to look alive, and nothing but a look at what is in memory. */
const REFRESH_MS = 2_000;

interface Kind {
  /** Returns the command, without what makes it do it. Throws `UsageError` for fields that are none of ours. */
  readonly args: (fields: Fields) => readonly string[];
  /** How its plan is carried out; a kind without one writes nothing. */
  readonly apply?: {
    readonly flag: '--apply' | '--for-real';
    readonly verb: string;
    /** With which ends there is something to carry out. */
    readonly after: readonly ExitCode[];
    /** What the region is, in which it can lose something or is taken out of traffic; its name is asked for. */
    readonly loses?: string;
    readonly takesConfirm?: boolean;
  };
}

/** All that is run in this way; what a form names is looked up here, so that it can begin nothing else. */
const KINDS: Readonly<Record<string, Kind>> = {
  verify: { args: (fields) => ['verify', ...given(fields, 'table')] },
  repair: {
    args: (fields) => [
      'repair',
      ...given(fields, 'table'),
      ...(fields.typed('old') === 'yes' ? ['--include-old'] : []),
    ],
    apply: { flag: '--apply', verb: 'Make them equal', after: [EXIT.finding, EXIT.damaged] },
  },
  rebuild: {
    args: (fields) => {
      const without = fields.typedAll('without');
      return [
        'rebuild-region',
        argument(fields.typed('region')),
        ...given(fields, 'table'),
        ...(without.length === 0 ? [] : ['--without', ...without.map(argument)]),
      ];
    },
    apply: {
      flag: '--apply',
      verb: 'Hold and fill it',
      after: [EXIT.ok],
      loses: 'It takes no traffic until it is proven equal.',
    },
  },
  adopt: {
    args: (fields) => [
      'tables',
      'adopt',
      argument(fields.typed('table')),
      ...given(fields, 'region'),
      ...given(fields, 'from'),
    ],
    apply: { flag: '--apply', verb: 'Serve it by forwarding', after: [EXIT.ok] },
  },
  'take-over': {
    args: (fields) => [
      'tables',
      'take-over',
      argument(fields.typed('table')),
      ...given(fields, 'region'),
    ],
    apply: {
      flag: '--apply',
      verb: 'End the forwarding',
      after: [EXIT.ok],
      loses: 'What a client writes at the old address from then on is lost.',
      takesConfirm: true,
    },
  },
  drill: {
    args: (fields) => ['drill', ...given(fields, 'region')],
    apply: {
      flag: '--for-real',
      verb: 'Take it out of traffic',
      after: [EXIT.ok, EXIT.finding],
      loses: 'It is taken out of traffic for some seconds, and brought back.',
    },
  },
  'verify-copy': {
    args: (fields) => [
      'tables',
      'verify-copy',
      argument(fields.typed('table')),
      ...given(fields, 'region'),
    ],
    apply: { flag: '--apply', verb: 'Read the old table no more', after: [EXIT.ok] },
  },
};

function given(fields: Fields, name: string): readonly string[] {
  const value = fields.typed(name);
  return value === '' ? [] : optionArgs(`--${name}`, value);
}

export function longRunPages(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({
    path: SHOWN,
    title: 'A command that takes long',
    links: PATH,
    refreshMs: REFRESH_MS,
    render: async (visit) => {
      const run = await runOf(tools, visit.query.get('id'));
      return html`${visit.query.has('refused') && refusalHtml(run)}${runHtml(visit, run, tools.clock.nowMs())}`;
    },
  });
  routes.download({
    path: '/recovery/report',
    name: 'tandem-report.html',
    type: 'text/html; charset=utf-8',
    read: async ({ query }) => String(reportHtml(await runOf(tools, query.get('id')))),
  });
  addRunActs(routes, tools);
}

function addRunActs({ form }: ConsoleRoutes, tools: ConsoleTools): void {
  const { runs, audit } = tools;
  // What a form did or refused is seen on the page of the run: one that is loaded again does nothing again.
  const does = (
    name: RunButton['act'] | 'begin',
    act: (visit: Visit) => Promise<LongRun | Elsewhere>,
  ): void =>
    form({
      path: `${PATH}/${name}`,
      title: 'A command that takes long',
      links: PATH,
      render: async (visit) => {
        const done = await act(visit);
        return done instanceof Elsewhere ? done : new Elsewhere(pathOf(done));
      },
    });
  does('begin', async ({ visitor, fields }) => {
    const kind = fields.get('kind') ?? '';
    const own = fieldsOf(fields);
    const args = kindOf(kind).args(own);
    return runs.begin({ kind, args, region: own.typed('region') || null, person: visitor.person });
  });
  does('apply', async ({ visitor, fields }) => {
    const plan = await runOf(tools, fields.get('id'));
    const apply = applyOf(plan);
    const { kind, region } = plan;
    if (apply === undefined)
      throw new UsageError('Nothing was done: this plan cannot be carried out.');
    if (!isNamed(plan, fields)) return refused(plan);
    return runs.begin({ kind, args: appliedArgs(plan), region, person: visitor.person });
  });
  does('again', async ({ visitor, fields }) => {
    const run = await runOf(tools, fields.get('id'));
    const { kind, args, region } = run;
    // Another build knows more kinds, and what this one does not know may lose something.
    kindOf(kind);
    if (!isPlan(run) && !isNamed(run, fields)) return refused(run);
    return runs.begin({ kind, args, region, person: visitor.person });
  });
  does('cancel', async ({ visitor, fields }) => {
    const run = await runOf(tools, fields.get('id'));
    if (run.state !== 'running') return run;
    // Its end is written down with the name of who began it.
    const command = shownCommand(run.args);
    await audit.write({ person: visitor.person, what: 'stopped', command });
    runs.cancel(run.id);
    return run;
  });
}

/** Returns whether what was typed is the name of the region, where carrying it out can lose something. */
function isNamed({ kind, region }: LongRun, fields: URLSearchParams): boolean {
  return findKind(kind)?.apply?.loses === undefined || fields.get('typed')?.trim() === region;
}

function refused(run: LongRun): Elsewhere {
  return new Elsewhere(`${pathOf(run)}&refused`);
}

function refusalHtml({ region }: LongRun): Html {
  return html`<p role="alert" class="refusal">Nothing was done: that is not the name of the region, ${region ?? ''}.</p>`;
}

function findKind(name: string): Kind | undefined {
  return Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
}

function kindOf(name: string): Kind {
  const kind = findKind(name);
  if (kind === undefined) throw new UsageError('There is no such command here.');
  return kind;
}

async function runOf({ runs }: ConsoleTools, id: string | null): Promise<LongRun> {
  const run = await runs.find(id ?? '');
  if (run === undefined)
    throw new UsageError('This run is not known here, or was forgotten: only the newest are kept.');
  return run;
}

export function pathOf({ id }: Pick<LongRun, 'id'>): string {
  return `${SHOWN}?${new URLSearchParams({ id }).toString()}`;
}

/** Returns how a plan is carried out; undefined for what is none, or has found nothing to do. */
function applyOf(run: LongRun): Kind['apply'] {
  const apply = findKind(run.kind)?.apply;
  const { result } = run;
  if (apply === undefined || result === undefined || result.isFailure) return undefined;
  return isPlan(run) && apply.after.some((code) => code === result.exitCode) ? apply : undefined;
}

function isPlan({ kind, args }: LongRun): boolean {
  const apply = findKind(kind)?.apply;
  return apply !== undefined && !args.includes(apply.flag);
}

function appliedArgs({ kind, args, region }: LongRun): readonly string[] {
  const apply = findKind(kind)?.apply;
  const confirm = apply?.takesConfirm === true && region !== null ? ['--confirm', region] : [];
  return apply === undefined ? args : [...args, apply.flag, ...confirm];
}

interface End {
  readonly level: Level;
  readonly word: string;
  readonly what: string;
}

const ENDS: Partial<Record<number, End>> = {
  [EXIT.ok]: { level: 'good', word: 'Done', what: 'It ended.' },
  [EXIT.finding]: { level: 'attention', word: 'Found something', what: 'It ended.' },
  [EXIT.damaged]: { level: 'bad', word: 'Damaged rows', what: 'It ended.' },
  [EXIT.interrupted]: {
    level: 'attention',
    word: 'Stopped',
    what: 'It was told to stop. What was done stays done; the same command goes on from there.',
  },
};
const FAILED: End = {
  level: 'bad',
  word: 'Failed',
  what: 'What was done until then stays done; the same command goes on from there.',
};
const BROKEN_OFF: End = {
  level: 'attention',
  word: 'Broken off',
  what:
    'Nothing is known of its end: the console that ran it was ended, or is another one that still runs. What was ' +
    'done stays done; the same command goes on from there.',
};
const RUNNING: End = {
  level: 'unknown',
  word: 'Running',
  what: 'It goes on also when nobody looks.',
};

function endOf(run: LongRun): End {
  const { state, result } = run;
  if (result === undefined) return state === 'running' ? RUNNING : BROKEN_OFF;
  const end = ENDS[result.exitCode] ?? FAILED;
  if (result.isFailure || !isPlan(run)) return end;
  return {
    ...end,
    word: result.exitCode === EXIT.ok ? 'Planned' : end.word,
    what: 'Nothing was changed.',
  };
}

function runHtml(visit: Visit, run: LongRun, nowMs: number): Html {
  const { args, person, begunMs, result, progress, lines } = run;
  const end = endOf(run);
  const tookMs = (result?.endedMs ?? nowMs) - begunMs;
  return html`<p><code>${shownCommand(args)}</code></p>
<p>Begun by ${valueHtml(person)}, ${dateHtml(begunMs)}.</p>
<section id="run" data-live aria-label="How far it is">
<p aria-live="polite">${badgeHtml(end.level, end.word)} ${end.what}${run.state !== 'broken-off' && ` ${ageText(Math.max(0, tookMs))}.`}</p>
${progress !== '' && html`<p class="progress">${progress}</p>`}
${lines.length > 0 && linesHtml(lines.join('\n'))}
${result !== undefined && linesHtml(result.text)}
${actsHtml(visit, run)}
</section>
<p><a href="${PATH}">All commands that took long</a></p>`;
}

function actsHtml(visit: Visit, run: LongRun): Html {
  const { result } = run;
  if (run.state === 'running') {
    return html`${runButtonHtml(visit, run, { act: 'cancel', label: 'Stop it' })}<p class="what">What was done stays done, as with Ctrl-C.</p>`;
  }
  const apply = applyOf(run);
  return html`${
    apply !== undefined &&
    html`<h2>Carry it out</h2><p>The command that does the same: <code>${shownCommand(appliedArgs(run))}</code></p>
${runButtonHtml(visit, run, { act: 'apply', label: apply.verb, typed: typedHtml(run), look: apply.loses === undefined ? 'does' : 'loses' })}`
  }
${findKind(run.kind) !== undefined && againHtml(visit, run)}
${result !== undefined && html`<p><a href="${`/recovery/report?${new URLSearchParams({ id: run.id }).toString()}`}" download>Keep the report</a>, one HTML file.</p>`}`;
}

/** What carries out a loss asks for the name again: nobody takes a region out of traffic by one click. */
function againHtml(visit: Visit, run: LongRun): Html {
  const isCut = run.result === undefined || run.result.isFailure;
  const label = isCut ? 'Go on with the same command' : 'Run it again';
  const typed = isPlan(run) ? undefined : typedHtml(run);
  const look = typed === undefined ? {} : { look: 'loses' as const };
  return html`<h2>Again</h2>${runButtonHtml(visit, run, { act: 'again', label, typed, ...look })}`;
}

function typedHtml({ kind, region }: LongRun): Html | undefined {
  const loses = findKind(kind)?.apply?.loses;
  return loses === undefined
    ? undefined
    : html`<p><label for="typed">${loses} Type the name of the region, <strong>${region ?? ''}</strong>, to go on:</label> <input id="typed" name="typed" required autocomplete="off"></p>`;
}

interface RunButton {
  readonly act: 'apply' | 'again' | 'cancel';
  readonly label: string;
  /** Asks for the name of the region. */
  readonly typed?: Html | undefined;
  readonly look?: Look;
}

function runButtonHtml(visit: Visit, { id }: LongRun, button: RunButton): Html {
  const { act, label, typed, ...rest } = button;
  const path = `${PATH}/${act}` as const;
  return html`<form method="post" action="${path}" class="${typed === undefined ? 'inline' : 'confirm'}"><input type="hidden" name="formToken" value="${visit.visitor.formToken}"><input type="hidden" name="id" value="${id}">${typed}${submitHtml(visit, { path, label, ...rest })}</form>`;
}

export function runsHtml(runs: readonly LongRun[]): Html {
  if (runs.length === 0) return html`<p>None was run by way of the console yet.</p>`;
  const rows = runs.map((run) => {
    const { level, word } = endOf(run);
    return html`<tr><td>${dateHtml(run.begunMs)}</td><td>${valueHtml(run.person)}</td><td><a href="${pathOf(run)}"><code>${shownCommand(run.args)}</code></a></td><td>${badgeHtml(level, word)}</td><td>${run.progress}</td></tr>`;
  });
  return tableHtml('Commands', ['Begun', 'Who', 'Command', 'State', 'How far'], rows);
}

/** A form that begins a command of a kind. */
export function beginHtml(
  visit: Visit,
  {
    kind,
    label,
    content,
  }: { readonly kind: string; readonly label: string; readonly content: Html },
): Html {
  return html`<form method="post" action="/recovery/begin" class="choice">
<input type="hidden" name="formToken" value="${visit.visitor.formToken}"><input type="hidden" name="kind" value="${kind}">
${content}${submitHtml(visit, { path: '/recovery/begin', label })}</form>`;
}

const REPORT_STYLE =
  'body{font:15px/1.45 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}' +
  'pre{white-space:pre-wrap;overflow-wrap:anywhere}bdi{overflow-wrap:anywhere}';
const REPORT_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(REPORT_STYLE).digest('base64')}'`;

/** One file that needs nothing else, and in which nothing but its own style is let in. */
function reportHtml(run: LongRun): Html {
  const { args, person, begunMs, result } = run;
  const end = endOf(run);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="${REPORT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${end.word}: ${shownCommand(args)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<h1>${end.word}</h1>
<p>${end.what}</p>
<p><code>${shownCommand(args)}</code></p>
<p>Begun by ${valueHtml(person)}, ${dateHtml(begunMs)}.${result !== undefined && html` Ended ${dateHtml(result.endedMs)}, exit code ${result.exitCode}.`}</p>
${result !== undefined && linesHtml(result.text)}
</body>
</html>
`;
}
