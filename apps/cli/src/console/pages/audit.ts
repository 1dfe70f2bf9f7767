import type { AuditLine } from '../audit.ts';
import { type Html, html, valueHtml } from '../html.ts';
import { dateHtml } from '../layout.ts';
import type { ConsoleRoutes, ConsoleTools } from '../page.ts';
import { tableHtml } from './parts.ts';

const WHAT: Readonly<Record<AuditLine['what'], string>> = {
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
${lines.length === 0 ? html`<p>Nothing was done by way of the console yet.</p>` : tableHtml('Audit', ['At', 'Who', 'What', 'Command', 'Exit code'], lines.map(lineHtml))}`;
    },
  });
}

function lineHtml({ atMs, person, what, command, exitCode }: AuditLine): Html {
  return html`<tr><td>${dateHtml(atMs)}</td><td>${valueHtml(person)}</td><td>${WHAT[what]}</td><td><code>${command}</code></td><td>${exitCode ?? ''}</td></tr>`;
}
