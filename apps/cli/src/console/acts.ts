/**
 * How everything is done that a page can do: it says first what would happen, in the words of the command without
 * `--apply`, and shows the command; then the same form does it. What can lose something wants the name of the region.
 * Pressed twice, or by two, the second finds what the command finds then.
 */
import { createHash } from 'node:crypto';
import { FORM_ROLES, type FormPath, findMissingRole, type Role } from './access.ts';
import { type Html, html, linesHtml } from './html.ts';
import { badgeHtml } from './layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from './page.ts';
import { shownCommand } from './run-command.ts';

export interface Act {
  readonly path: FormPath;
  readonly title: string;
  /** Says on the button what it does. */
  readonly verb: string;
  /** Where a person goes on from when it is done. */
  readonly back: { readonly path: string; readonly label: string };
  /** Returns the command, without what makes it do it. Throws `UsageError` for fields that are none of ours. */
  readonly args: (fields: Fields) => readonly string[];
  /** Names the region in which it can lose something, and what; undefined where it cannot. */
  readonly loses?: (fields: Fields) => { readonly region: string; readonly takesConfirm: boolean };
  /** Returns what it would change, where the command does not show that; who asks for it may see it. */
  readonly difference?: (visit: Visit) => Promise<Html>;
  /** Whether it is refused where its preview would say something else by now. Other commands look themselves at what is there. */
  readonly isHeldToPreview?: boolean;
  /** Which role it takes beside that of its path, for what these fields mean. */
  readonly alsoTakes?: (fields: Fields) => Role | undefined;
}

/** Fields of a form, as they were put in. */
export interface Fields {
  one(name: string): string;
  all(name: string): readonly string[];
  /** What a person typed or chose, which is not packed. */
  typed(name: string): string;
  typedAll(name: string): readonly string[];
}

/** Fields hold any value as it is, which a form does not: it changes line breaks, and pages show escapes. */
export function fieldHtml(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${packField(value)}">`;
}

export function packField(value: string): string {
  return Buffer.from(value, 'utf8').toString('base64url');
}

export function fieldsOf(fields: URLSearchParams): Fields {
  const unpack = (text: string): string => Buffer.from(text, 'base64url').toString('utf8');
  return {
    one: (name) => unpack(fields.get(name) ?? ''),
    all: (name) => fields.getAll(name).map(unpack),
    typed: (name) => fields.get(name)?.trim() ?? '',
    typedAll: (name) => fields.getAll(name).map((value) => value.trim()),
  };
}

/** How a button looks: what does it, or loses something for good, is told from what only shows. */
export type Look = 'does' | 'loses';

interface Submit {
  /** Where the form is sent. */
  readonly path: FormPath;
  readonly label: string;
  /** Belongs to a second button of a form. */
  readonly isElsewhere?: boolean;
  readonly look?: Look;
}

/** The button of a form; where the visitor may not press it, it says why. */
export function submitHtml(
  { visitor }: Visit,
  { path, label, isElsewhere = false, look }: Submit,
): Html {
  const missing = findMissingRole(visitor, FORM_ROLES[path]);
  const where = isElsewhere && html` formaction="${path}"`;
  if (missing !== undefined) {
    return html`<button${where} disabled>${label}</button> <small class="why">${missing}</small>`;
  }
  return html`<button${where}${look !== undefined && html` class="${look}"`}>${label}</button>`;
}

/** A form of one button, with what it is about. */
export function buttonHtml(
  visit: Visit,
  {
    path,
    label,
    fields,
    look,
  }: {
    readonly path: FormPath;
    readonly label: string;
    readonly look?: Look;
    readonly fields: Readonly<Record<string, string>>;
  },
): Html {
  return html`<form method="post" action="${path}" class="inline"><input type="hidden" name="formToken" value="${visit.visitor.formToken}">${Object.entries(
    fields,
  ).map(([name, value]) =>
    fieldHtml(name, value),
  )}${submitHtml(visit, { path, label, ...(look === undefined ? {} : { look }) })}</form>`;
}

export function addAct({ form }: Pick<ConsoleRoutes, 'form'>, tools: ConsoleTools, act: Act): void {
  form({
    path: act.path,
    title: act.title,
    links: act.back.path,
    render: async (visit) =>
      visit.fields.get('stage') === 'apply'
        ? apply(visit, tools, act)
        : preview(visit, { tools, act }),
  });
}

/** What the form of an act adds to what was asked for. */
const OWN_FIELDS = ['formToken', 'stage', 'typed', 'seen'];

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

async function preview(
  visit: Visit,
  {
    tools,
    act,
    refusal,
  }: { readonly tools: ConsoleTools; readonly act: Act; readonly refusal?: string },
): Promise<Html> {
  const fields = fieldsOf(visit.fields);
  const args = act.args(fields);
  const run = await tools.run(args, { asText: true });
  const loses = act.loses?.(fields);
  const difference = run.failure === undefined ? await act.difference?.(visit) : undefined;
  const head = html`${refusal !== undefined && html`<p role="alert" class="refusal">${refusal}</p>`}
<h2>What it would do</h2>
${linesHtml(run.failure?.message ?? run.text)}${difference}
<h2>The command that does the same</h2>
<p><code>${shownCommand(applied(args, loses))}</code></p>`;
  // Without a preview nobody knows what the button does.
  if (run.failure !== undefined) {
    return html`${head}<p><button disabled>${act.verb}</button> It cannot be done now, for the reason above.</p>${backHtml(act)}`;
  }
  const missing = findMissing(visit, act);
  if (missing !== undefined) {
    return html`${head}<p><button disabled>${act.verb}</button> <small class="why">${missing}</small></p>${backHtml(act)}`;
  }
  return html`${head}
<form method="post" action="${act.path}" class="confirm">
<input type="hidden" name="formToken" value="${visit.visitor.formToken}">
<input type="hidden" name="stage" value="apply">
${act.isHeldToPreview === true && html`<input type="hidden" name="seen" value="${digestOf(run.text)}">`}
${[...visit.fields].filter(([name]) => !OWN_FIELDS.includes(name)).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${
  loses !== undefined &&
  html`<p><label for="typed">It can lose something in <strong>${loses.region}</strong>. Type the name of the region to go on:</label> <input id="typed" name="typed" required autocomplete="off"></p>`
}
<button class="${loses === undefined ? 'does' : 'loses'}">${act.verb}</button>
</form>${backHtml(act)}`;
}

async function apply(visit: Visit, tools: ConsoleTools, act: Act): Promise<Html> {
  const fields = fieldsOf(visit.fields);
  const missing = findMissing(visit, act);
  if (missing !== undefined) {
    return preview(visit, { tools, act, refusal: `Nothing was done. ${missing}` });
  }
  const loses = act.loses?.(fields);
  if (loses !== undefined && visit.fields.get('typed')?.trim() !== loses.region) {
    const refusal = `Nothing was done: that is not the name of the region, ${loses.region}.`;
    return preview(visit, { tools, act, refusal });
  }
  const seen = visit.fields.get('seen');
  if (act.isHeldToPreview === true && seen !== null) {
    const { text } = await tools.run(act.args(fields), { asText: true });
    if (digestOf(text) !== seen) {
      const refusal = 'Nothing was done: somebody has changed it since you looked. Look again.';
      return preview(visit, { tools, act, refusal });
    }
  }
  const args = applied(act.args(fields), loses);
  const { person } = visit.visitor;
  const command = shownCommand(args);
  await tools.audit.write({ person, what: 'begun', command });
  const run = await tools.run(args, { asText: true, person });
  await tools.audit.write({ person, what: 'ended', command, exitCode: run.exitCode });
  const isDone = run.failure === undefined;
  return html`<p>${isDone ? badgeHtml('good', 'Done') : badgeHtml('bad', 'Failed')}</p>
${linesHtml(run.failure?.message ?? run.text)}
<p>The command that does the same: <code>${command}</code></p>${backHtml(act)}`;
}

/** The role of the path was asked for before. */
function findMissing({ visitor, fields }: Visit, { alsoTakes }: Act): string | undefined {
  const role = alsoTakes?.(fieldsOf(fields));
  return role === undefined ? undefined : findMissingRole(visitor, role);
}

function applied(
  args: readonly string[],
  loses: ReturnType<NonNullable<Act['loses']>> | undefined,
): readonly string[] {
  return [...args, '--apply', ...(loses?.takesConfirm === true ? ['--confirm', loses.region] : [])];
}

function backHtml({ back }: Act): Html {
  return html`<p><a href="${back.path}">${back.label}</a></p>`;
}
