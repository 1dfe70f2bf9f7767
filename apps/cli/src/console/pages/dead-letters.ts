// Messages that a region could not apply, by reason; their bodies once somebody asks; sent again or thrown away.

import { UsageError } from '../../exit-codes.ts';
import { addAct, buttonHtml, type Fields, fieldsOf, packField, submitHtml } from '../acts.ts';
import { type Html, html, linesHtml, valueHtml } from '../html.ts';
import { countText } from '../judge-region.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import { argument, optionArgs, shownCommand } from '../run-command.ts';
import {
  choiceHtml,
  LISTED_MAX,
  longTableHtml,
  moreHtml,
  ROWS_MAX,
  regionOf,
  saidHtml,
} from './parts.ts';

const PATH = '/dead-letters';
/** There are a handful: ours, and those of Service Bus. */
const REASONS_MAX = 20;
const IDS_MAX = 10;

interface Letter {
  readonly number: string;
  readonly messageId: string;
  readonly reason?: string;
  readonly description?: string;
  readonly enqueuedAtMs: number;
  readonly ids: readonly string[];
}

export function deadLettersPage(routes: ConsoleRoutes, tools: ConsoleTools): void {
  routes.page({
    path: PATH,
    title: 'Dead letters',
    render: async (visit) => {
      const region = regionOf(visit, tools);
      const args = ['dead-letters', 'list', '--region', region];
      const run = await tools.run(args);
      const choice = choiceHtml(tools, { path: PATH, region, hasTable: false });
      const letters = (run.json['deadLetters'] ?? []) as readonly Letter[];
      const groups = Map.groupBy(letters, ({ reason }) => reason ?? 'no reason');
      let left = LISTED_MAX;
      const sections = [...groups].slice(0, REASONS_MAX).map(([reason, own]) => {
        // What there is a flood of hides nothing else.
        const countMax = Math.max(left, ROWS_MAX);
        left -= own.length;
        return groupHtml(visit, { region, reason, letters: own, countMax });
      });
      const list =
        letters.length === 0 ? html`<p>There are no dead letters in ${region}.</p>` : sections;
      const more = groups.size - REASONS_MAX;
      return html`${choice}${saidHtml(args, run)}${run.failure === undefined && list}${
        more > 0 && html`<p>${countText(more, 'more reason')}: the command lists all of them.</p>`
      }`;
    },
  });
  routes.form({
    path: '/dead-letters/show',
    title: 'One dead letter',
    links: PATH,
    render: (visit) => show(visit, tools),
  });
  const back = { path: PATH, label: 'Back to the dead letters' };
  for (const verdict of ['resubmit', 'discard'] as const) {
    addAct(routes, tools, {
      path: `/dead-letters/${verdict}`,
      title: verdict === 'resubmit' ? 'Put back into the queue' : 'Throw away',
      verb: verdict === 'resubmit' ? 'Put back' : 'Throw away',
      back,
      // By their numbers: what has come since nobody has seen.
      args: (fields) => [
        'dead-letters',
        verdict,
        ...numbersOf(fields).map(argument),
        ...optionArgs('--region', fields.one('region')),
      ],
      ...(verdict === 'resubmit'
        ? {}
        : { loses: (fields) => ({ region: fields.one('region'), takesConfirm: false }) }),
    });
  }
}

/** An act is about rows that a person can have read: more than that is not taken. */
function numbersOf(fields: Fields): readonly string[] {
  const numbers = fields.all('number');
  if (numbers.length <= ROWS_MAX) return numbers;
  throw new UsageError(
    `Nothing was done: ${numbers.length} dead letters are named, and the console takes at most ${ROWS_MAX} at once. ` +
      'tandem dead-letters takes more, or --all.',
  );
}

interface Group {
  readonly region: string;
  readonly reason: string;
  readonly letters: readonly Letter[];
  /** Bounds those that are listed. */
  readonly countMax: number;
}

function groupHtml(visit: Visit, { region, reason, letters, countMax }: Group): Html {
  const [oldest, newest] = [letters[0], letters.at(-1)];
  const shown = letters.slice(0, countMax);
  const acted = letters.slice(0, ROWS_MAX);
  const rows = shown.map(
    (letter) =>
      html`<tr><td>${letter.number}</td><td>${dateHtml(letter.enqueuedAtMs)}</td><td>${idsHtml(letter)}</td><td>${valueHtml(letter.description ?? '')}</td><td>${buttonHtml(
        visit,
        { path: '/dead-letters/show', label: 'Show', fields: { region, number: letter.number } },
      )}</td></tr>`,
  );
  return html`<section class="group"><h2>${reason} · ${countText(letters.length, 'message')}</h2>
${letters.length > 1 && oldest !== undefined && newest !== undefined && html`<p>From ${dateHtml(oldest.enqueuedAtMs)} to ${dateHtml(newest.enqueuedAtMs)}.</p>`}
${actsHtml(visit, { region, numbers: acted.map(({ number }) => number), isAll: acted.length === letters.length })}
${
  acted.length < letters.length &&
  html`<p>One press is about ${ROWS_MAX} at most. All dead letters of the region at once: <code>${shownCommand(['dead-letters', 'resubmit', '--all', ...optionArgs('--region', region), '--apply'])}</code></p>`
}
${longTableHtml(reason, ['Number', 'Since', 'Ids', 'Why', 'Act'], rows)}${moreHtml(letters.length, shown.length)}</section>`;
}

/** A message packs thousands sometimes; its page shows all of it. */
function idsHtml({ ids }: Letter): Html {
  const more = ids.length - IDS_MAX;
  return html`${ids.slice(0, IDS_MAX).map((id) => html`${valueHtml(id)} `)}${more > 0 && `and ${more} more`}`;
}

interface Acted {
  readonly region: string;
  readonly numbers: readonly string[];
  /** Whether there are no more for the same reason. */
  readonly isAll: boolean;
}

/** The numbers go along, so that what has come since is not touched unseen. */
function actsHtml(visit: Visit, { region, numbers, isAll }: Acted): Html {
  const what = numbers.length === 1 ? 'it' : `${isAll ? 'all' : 'the oldest'} ${numbers.length}`;
  return html`<form method="post" action="/dead-letters/resubmit" class="inline">
<input type="hidden" name="formToken" value="${visit.visitor.formToken}"><input type="hidden" name="region" value="${packField(region)}">
${numbers.map((number) => html`<input type="hidden" name="number" value="${packField(number)}">`)}
${submitHtml(visit, { path: '/dead-letters/resubmit', label: `Put ${what} back into the queue…` })}
${submitHtml(visit, { path: '/dead-letters/discard', label: `Throw ${what} away…`, isElsewhere: true, look: 'loses' })}</form>`;
}

async function show(visit: Visit, tools: ConsoleTools): Promise<Html> {
  const fields = fieldsOf(visit.fields);
  const [region, number] = [fields.one('region'), fields.one('number')];
  const args = ['dead-letters', 'show', argument(number), ...optionArgs('--region', region)];
  await tools.audit.write({
    person: visit.visitor.person,
    what: 'looked',
    command: shownCommand(args),
  });
  const run = await tools.run(args);
  if (run.failure !== undefined) return saidHtml(args, run);
  const letter = run.json as unknown as Letter & { readonly content: string };
  return html`${saidHtml(args, run)}<p class="lead">${letter.number}, since ${dateHtml(letter.enqueuedAtMs)}</p>
<p>${valueHtml(letter.reason ?? 'No reason')}: ${valueHtml(letter.description ?? '')}</p>
${actsHtml(visit, { region, numbers: [letter.number], isAll: true })}
<h2>Body</h2>${linesHtml(letter.content)}
<p><a href="${PATH}">Back to the dead letters</a></p>`;
}
