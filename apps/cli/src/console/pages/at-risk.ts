// "If east vanished now": the writes that only east has, by id, and those that would come late.
import { toJsonLine } from '../../report/escape-text.ts';
import { type Html, html, valueHtml } from '../html.ts';
import { countText } from '../judge-region.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import {
  choiceHtml,
  moreHtml,
  ROWS_MAX,
  regionOf,
  saidHtml,
  tableArgs,
  tableHtml,
  tableOf,
} from './parts.ts';

const PATH = '/at-risk';

interface Write {
  readonly id: string;
  readonly partitionKey?: string;
  readonly rowKey?: string;
  readonly operation: string;
  readonly committedMs: number;
  readonly places: Readonly<Record<string, string>>;
}

interface AtRisk {
  readonly asOfMs: number;
  readonly lost: readonly Write[];
  readonly delayed: readonly Write[];
  readonly outOfReach: readonly string[];
  readonly unreadable: readonly string[];
}

const PLACES: Readonly<Record<string, string>> = {
  applied: 'in its rows',
  queued: 'in its queue',
  'dead-lettered': 'among its dead letters',
  nowhere: 'nowhere',
  'not-known': 'not known',
};

export function atRiskPage({ page, download }: ConsoleRoutes, tools: ConsoleTools): void {
  const argsOf = (visit: Visit): readonly string[] => [
    'at-risk',
    '--region',
    regionOf(visit, tools),
    ...tableArgs(tableOf(visit)),
  ];
  page({
    path: PATH,
    title: 'At risk',
    render: async (visit) => {
      const args = argsOf(visit);
      const run = await tools.run(args);
      const region = regionOf(visit, tools);
      const choice = choiceHtml(tools, {
        path: PATH,
        region,
        table: tableOf(visit),
        hasTable: true,
      });
      const content =
        run.failure === undefined
          ? listHtml(run.json as unknown as AtRisk, { region, visit })
          : html``;
      return html`${choice}${saidHtml(args, run)}${content}`;
    },
  });
  download({
    path: '/at-risk.json',
    name: 'at-risk.json',
    type: 'application/json',
    read: async (visit) => toJsonLine((await tools.run(argsOf(visit))).json),
  });
}

function listHtml(
  found: AtRisk,
  { region, visit }: { readonly region: string; readonly visit: Visit },
): Html {
  const { asOfMs, lost, delayed, outOfReach, unreadable } = found;
  const rows = [
    ...lost.map((write) => rowHtml('lost', write)),
    ...delayed.map((write) => rowHtml('late', write)),
  ];
  const query = new URLSearchParams({ region, table: tableOf(visit) ?? '' }).toString();
  return html`<p class="lead">If <strong>${region}</strong> vanished now, <strong>${countText(lost.length, 'write')}</strong> would be lost and ${delayed.length} late, as of ${dateHtml(asOfMs)}.</p>
${outOfReach.map((peer) => html`<p class="old">${peer} is out of reach: it may have more than is said here.</p>`)}
${unreadable.length > 0 && html`<p class="old">${countText(unreadable.length, 'row')} of the outbox cannot be read or were set aside: what they hold would be lost too.</p>`}
${
  rows.length === 0
    ? html`<p>Every write that it acknowledged is in another region.</p>`
    : html`${tableHtml('Writes at risk', ['Fate', 'Id', 'Operation', 'Acknowledged at', 'Where else it is'], rows.slice(0, ROWS_MAX))}${moreHtml(rows.length, ROWS_MAX)}
<p><a href="${`/at-risk.json?${query}`}" download>Download all of them as JSON</a></p>`
}`;
}

function rowHtml(fate: 'lost' | 'late', write: Write): Html {
  return html`<tr><td>${fate === 'lost' ? html`<strong class="bad">lost</strong>` : 'late'}</td><td>${nameHtml(write)}</td><td>${write.operation}</td><td>${dateHtml(write.committedMs)}</td><td>${Object.entries(
    write.places,
  )
    .map(([peer, place]) => `${peer}: ${PLACES[place] ?? place}`)
    .join(', ')}</td></tr>`;
}

/** Names a row as people know it: of a table of clients by its two keys. */
export function nameHtml({
  id,
  partitionKey,
  rowKey,
}: Pick<Write, 'id' | 'partitionKey' | 'rowKey'>): Html {
  if (partitionKey === undefined || rowKey === undefined) return valueHtml(id);
  return html`${valueHtml(partitionKey)} / ${valueHtml(rowKey)}`;
}
