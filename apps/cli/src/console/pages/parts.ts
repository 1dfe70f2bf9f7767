// What the pages that list something share: the choice of the region, what failed, and what is hidden.
import { KINDS } from '../../regions/choose-kind.ts';
import { type Html, html, linesHtml } from '../html.ts';
import type { ConsoleTools, Visit } from '../page.ts';
import { type CommandRun, optionArgs, shownCommand } from '../run-command.ts';

/** Returns the region of the address; the first there is by default, and for one that there is not. */
export function regionOf({ query }: Visit, { watch }: ConsoleTools): string {
  const names = watch.regions().map(({ name }) => name);
  const wanted = query.get('region') ?? '';
  return names.includes(wanted) ? wanted : (names[0] ?? '');
}

/** Returns the table whose rows are meant; the customers where the address names none. */
export function tableOf({ query }: Visit): string | undefined {
  const table = query.get('table')?.trim() ?? '';
  return table === '' ? undefined : table;
}

export function tableArgs(table: string | undefined): readonly string[] {
  return table === undefined ? [] : optionArgs('--table', table);
}

interface Listed {
  readonly table: string | undefined;
  readonly args: readonly string[];
  readonly run: CommandRun;
}

/**
 * Has the command list the rows of the table that the address names; where it names none those of every kind, which the
 * first screen counts together.
 */
export async function listKinds(
  visit: Visit,
  { run }: ConsoleTools,
  argsOf: (table: string | undefined) => readonly string[],
): Promise<readonly Listed[]> {
  const wanted = tableOf(visit);
  const others = KINDS.slice(1).map(({ name }) => name);
  const tables = wanted === undefined ? [undefined, ...others] : [wanted];
  const listed: Listed[] = [];
  for (const table of tables) {
    const args = argsOf(table);
    const done = await run(args);
    // A region of an older build has no rows of some kinds.
    if (listed.length > 0 && done.failure?.code === 'USAGE') continue;
    listed.push({ table, args, run: done });
    // One that does not answer is waited for once.
    if (done.failure !== undefined) break;
  }
  return listed;
}

interface ChoiceParts {
  readonly path: string;
  readonly region: string;
  /** Undefined where a page is not about tables. */
  readonly table?: string | undefined;
  readonly hasTable: boolean;
  /** Says which rows are meant where no table is named; the customers by default. */
  readonly placeholder?: string;
}

/** A form that opens the page for another region, or another table. */
export function choiceHtml(
  { watch }: ConsoleTools,
  { path, region, table, hasTable, placeholder = 'the customers' }: ChoiceParts,
): Html {
  return html`<form method="get" action="${path}" class="choice">
<label for="region">Region</label> <select id="region" name="region">${watch
    .regions()
    .map(
      ({ name }) => html`<option${name === region && html` selected`}>${name}</option>`,
    )}</select>
${
  hasTable &&
  html`<label for="table">Table</label> <input id="table" name="table" value="${table ?? ''}" placeholder="${placeholder}" size="14" autocomplete="off">`
}
<button>Show</button></form>`;
}

/** Shows which command says the same, and why it failed where it did. */
export function saidHtml(args: readonly string[], { failure }: Pick<CommandRun, 'failure'>): Html {
  const shown = html`<p class="command">Same as <code>${shownCommand(args)}</code></p>`;
  if (failure === undefined) return shown;
  return html`${shown}<div role="alert" class="refusal"><strong>This could not be read.</strong> ${linesHtml(failure.message)}</div>`;
}

/** Stands for a value until somebody asks to see it, which the audit then says. */
export const HIDDEN: Html = html`<span class="hidden-value" title="Hidden until you ask for it">•••••</span>`;

/** Lists are long sometimes: a page shows so many, and says how many there are. */
export const ROWS_MAX = 200;

export function moreHtml(count: number, shown: number): Html {
  return count <= shown
    ? html``
    : html`<p>${shown.toLocaleString('en')} of ${count.toLocaleString('en')} are shown; the command lists all of them.</p>`;
}

export function tableHtml(label: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${head.map(
    (title) => html`<th scope="col">${title}</th>`,
  )}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/**
 * So many rows are laid out together or not at all. A browser can leave out what a block holds while nobody sees it,
 * and neither a row nor a group of rows is a block: so a long list is a table after the other.
 */
const CHUNK_ROWS = 100;

/** Bounds the rows of a page that shows as many as there are; the browser lays out only those that are seen. */
export const LISTED_MAX = 10_000;

/** Shows a list of thousands, of which the browser lays out what is seen. */
export function longTableHtml(label: string, head: readonly string[], rows: readonly Html[]): Html {
  if (rows.length <= CHUNK_ROWS) return tableHtml(label, head, rows);
  const chunks = Array.from({ length: Math.ceil(rows.length / CHUNK_ROWS) }, (_, nth) => {
    const from = nth * CHUNK_ROWS;
    const own = rows.slice(from, from + CHUNK_ROWS);
    return html`<div class="chunk"><table aria-label="${label} from ${from + 1}"><thead${nth > 0 && html` class="unseen"`}><tr>${head.map(
      (title) => html`<th scope="col">${title}</th>`,
    )}</tr></thead><tbody>${own}</tbody></table></div>`;
  });
  return html`<div class="scroll long" tabindex="0" role="region" aria-label="${label}">${chunks}</div>`;
}
