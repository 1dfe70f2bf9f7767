import { createHash } from 'node:crypto';

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid #8885; padding: .4rem .8rem .4rem 0; text-align: left; }
  tr.current { font-weight: 600; }
  .online { color: light-dark(#17652b, #7bd88f); }
  .degraded { color: light-dark(#a3190f, #ff9a8f); }
  .disabled, .checking { color: light-dark(#555, #bbb); }
  button { font: inherit; font-weight: 400; }
`;

const SCRIPT = `
  const base = '/_traffic-manager';
  const byId = (id) => document.getElementById(id);
  const cell = (content, className = '') => {
    const td = document.createElement('td');
    td.append(content);
    td.className = className;
    return td;
  };
  const row = (cells, className = '') => {
    const tr = document.createElement('tr');
    tr.append(...cells);
    tr.className = className;
    return tr;
  };
  const time = (iso) => new Date(iso).toLocaleTimeString();
  const probe = (last) => last === undefined ? 'none yet'
    : time(last.at) + ', ' + (last.status ?? last.error) + ', ' + last.durationMs + ' ms';
  const toggle = ({ name, enabled }) => {
    const action = enabled ? 'disable' : 'enable';
    const button = document.createElement('button');
    button.textContent = enabled ? 'Disable' : 'Enable';
    button.setAttribute('aria-label', button.textContent + ' ' + name);
    button.dataset.key = name;
    button.onclick = () => fetch(base + '/endpoints/' + name + '/' + action, { method: 'POST' })
      .then(refresh, showOutage);
    return button;
  };
  const summaries = {
    online: (s) => 'Traffic goes to ' + s.current + '.',
    'all-degraded': (s) => 'All endpoints are degraded, so all count as online: traffic goes to ' + s.current + '.',
    'none-enabled': () => 'Every endpoint is disabled: requests are answered with 503.',
  };
  const showOutage = () => { byId('summary').textContent = 'The traffic manager does not answer.'; };
  const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  async function refresh() {
    const status = await (await fetch(base + '/status')).json();
    const focused = document.activeElement?.dataset.key;
    setText(byId('summary'), summaries[status.decision](status));
    const s = (ms) => ms / 1000 + ' s';
    setText(byId('bounds'), 'Clients keep an answer for ' + s(status.probing.ttlMs) + '. A dead endpoint loses the last of them after '
      + s(status.failOver.formulaMs) + ' by the formula, ' + s(status.failOver.worstMs) + ' at worst.');
    byId('endpoints').replaceChildren(...status.endpoints.map((e) => row([
      cell(e.priority), cell(e.name + ' (' + e.url + ')'), cell(e.state, e.state),
      cell(e.consecutiveFailures), cell(probe(e.lastProbe)), cell(toggle(e)),
    ], e.name === status.current ? 'current' : '')));
    byId('transitions').replaceChildren(...status.transitions.toReversed().map((t) => row([
      cell(time(t.at)), cell(t.endpoint), cell(t.from, t.from), cell(t.to, t.to),
      cell(t.current ?? 'none'),
    ])));
    // The rows are new, so the keyboard's place in them is restored.
    if (focused) document.querySelector('[data-key="' + focused + '"]')?.focus();
  }
  const loop = () => refresh().catch(showOutage).finally(() => setTimeout(loop, 1000));
  loop();
`;

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Everything is inline, so the page works without a network, and nothing else is; the script may only ask this server. */
export const STATUS_PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Shows /_traffic-manager/status, asked for once a second, with a switch for each endpoint. */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Traffic manager</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Traffic manager, priority mode</h1>
<p id="summary" role="status">Asking for the status.</p>
<p id="bounds"></p>
<div class="scroll"><table>
  <thead><tr><th>Priority</th><th>Endpoint</th><th>State</th><th>Failures in a row</th>
  <th>Last probe</th><th></th></tr></thead>
  <tbody id="endpoints"></tbody>
</table></div>
<h2>Changes, newest first</h2>
<div class="scroll"><table>
  <thead><tr><th>Time</th><th>Endpoint</th><th>From</th><th>To</th><th>Traffic goes to</th></tr></thead>
  <tbody id="transitions"></tbody>
</table></div>
<script>${SCRIPT}</script>
</body>
</html>
`;
