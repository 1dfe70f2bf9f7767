// "If east vanished now": the writes that only east has, by id, and those that would come late.
import { decodeOpenId } from '@tandem/core';
import { toJsonLine } from '../../report/escape-text.ts';
import { type Html, html, valueHtml } from '../html.ts';
import { countText } from '../judge-region.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools, Visit } from '../page.ts';
import {
  choiceHtml,
  listKinds,
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
  const list = (visit: Visit) =>
    listKinds(visit, tools, (table) => [
      'at-risk',
      '--region',
      regionOf(visit, tools),
      ...tableArgs(table),
    ]);
  page({
    path: PATH,
    title: 'At risk',
    render: async (visit) => {
      const listed = await list(visit);
      const choice = choiceHtml(tools, {
        path: PATH,
        region: regionOf(visit, tools),
        table: tableOf(visit),
        hasTable: true,
        placeholder: 'all of them',
      });
      const said = listed.map(({ args, run }) => saidHtml(args, run));
      const isWhole = listed.every(({ run }) => run.failure === undefined);
      return html`${choice}${said}${listHtml(join(listed), { region: regionOf(visit, tools), visit, isWhole })}`;
    },
  });
  download({
    path: '/at-risk.json',
    name: 'at-risk.json',
    type: 'application/json',
    // A list that lacks a part is no list: in place of it there is why.
    read: async (visit) => {
      const listed = await list(visit);
      const failed = listed.find(({ run }) => run.failure !== undefined);
      return toJsonLine(failed?.run.json ?? join(listed));
    },
  });
}

/** Joins what was found of every kind that could be read. */
function join(listed: Awaited<ReturnType<typeof listKinds>>): AtRisk {
  const found = listed.flatMap(({ run }) =>
    run.failure === undefined ? [run.json as unknown as AtRisk] : [],
  );
  const all = <T>(of: (one: AtRisk) => readonly T[]): readonly T[] => found.flatMap(of);
  return {
    ...found[0],
    asOfMs: Math.min(...found.map(({ asOfMs }) => asOfMs)),
    lost: all(({ lost }) => lost),
    delayed: all(({ delayed }) => delayed),
    outOfReach: [...new Set(all(({ outOfReach }) => outOfReach))],
    unreadable: all(({ unreadable }) => unreadable),
  };
}

function listHtml(
  found: AtRisk,
  {
    region,
    visit,
    isWhole,
  }: { readonly region: string; readonly visit: Visit; readonly isWhole: boolean },
): Html {
  const { asOfMs, lost, delayed, outOfReach, unreadable } = found;
  if (!Number.isFinite(asOfMs)) return html``;
  const rows = [
    ...lost.map((write) => rowHtml('lost', write)),
    ...delayed.map((write) => rowHtml('late', write)),
  ];
  const table = tableOf(visit);
  const query = new URLSearchParams({ region, ...(table !== undefined && { table }) }).toString();
  const atLeast = !isWhole && 'at least ';
  const isSafe = isWhole && rows.length + unreadable.length === 0;
  return html`<p class="lead">If <strong>${region}</strong> vanished now, ${atLeast}<strong>${countText(lost.length, 'write')}</strong> would be lost and ${delayed.length} late, as of ${dateHtml(asOfMs)}.</p>
${outOfReach.map((peer) => html`<p class="old">${peer} is out of reach: it may have more than is said here.</p>`)}
${unreadable.length > 0 && html`<p class="old">${countText(unreadable.length, 'row')} of the outbox cannot be read or were set aside: what they hold would be lost too.</p>`}
${isSafe && html`<p>Every write that it acknowledged is in another region.</p>`}
${
  rows.length > 0 &&
  html`${tableHtml('Writes at risk', ['Fate', 'Id', 'Operation', 'Acknowledged at', 'Where else it is'], rows.slice(0, ROWS_MAX))}${moreHtml(rows.length, ROWS_MAX)}
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
  if (partitionKey !== undefined && rowKey !== undefined) {
    return html`${valueHtml(partitionKey)} / ${valueHtml(rowKey)}`;
  }
  const key = decodeOpenId(id);
  if (key === undefined) return valueHtml(id);
  return html`${valueHtml(key.partitionKey)} / ${valueHtml(key.rowKey)} <small>of the table with the id ${key.tableId}</small>`;
}
