// What the pages of the console do besides showing what the server drew: they ask for themselves again and take over
// the parts that changed, draw the plots, and say so when the console no longer answers. Without this script every
// page is whole, and as old as it was opened.
const ASK_TIMEOUT_MS = 10_000;
const MS_PER_S = 1000;

const refreshMs = Number(document.body.dataset['refreshMs'] ?? 0);
let answeredMs = Date.now();

function showStale(text) {
  const note = document.getElementById('stale');
  if (note === null || (note.hidden ? '' : note.textContent) === text) return;
  note.textContent = text;
  note.hidden = text === '';
}

async function ask(path) {
  return fetch(path, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS), cache: 'no-store' });
}

function takeOver(page) {
  for (const fresh of page.querySelectorAll('[data-live]')) {
    const shown = document.getElementById(fresh.id);
    if (shown !== null) change(shown, fresh);
  }
}

/** Puts what differs in place of what was there: the focus, what is selected and what is being typed stay. */
function change(shown, fresh) {
  if (shown.isEqualNode(fresh)) return;
  const [before, now] = [[...shown.childNodes], [...fresh.childNodes]];
  const isSameElement = shown.nodeType === Node.ELEMENT_NODE && shown.nodeName === fresh.nodeName;
  // A button that somebody is about to press never comes to mean another thing.
  if (isSameElement && shown.nodeName !== 'FORM' && before.length === now.length) {
    for (const name of shown.getAttributeNames()) {
      if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) shown.setAttribute(name, value);
    for (const [at, child] of before.entries()) change(child, now[at]);
    return;
  }
  const { activeElement } = document;
  if (activeElement?.matches('input, select') && shown.contains(activeElement)) return;
  if (isSameElement && shown.nodeName !== 'FORM') shown.replaceChildren(...now);
  else shown.replaceWith(fresh);
}

async function refresh() {
  try {
    const response = await ask(location.pathname + location.search);
    if (response.redirected) {
      showStale(
        'This visit has ended, and all figures are old: open the page anew to enter again. What was begun goes on.',
      );
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    takeOver(new DOMParser().parseFromString(await response.text(), 'text/html'));
    answeredMs = Date.now();
    showStale('');
    await drawPlots();
  } catch {
    const seconds = Math.round((Date.now() - answeredMs) / MS_PER_S);
    showStale(
      `The console itself does not answer: every figure on this page is ${seconds} s old or older.`,
    );
  }
}

/** A page that slept, as its tab or all of the machine did, shows what was: it says so before it has asked. */
function showSlept() {
  const ageMs = Date.now() - answeredMs;
  const note = document.getElementById('stale');
  if (note === null || !note.hidden || ageMs < refreshMs + ASK_TIMEOUT_MS) return;
  const minutes = Math.round(ageMs / (60 * MS_PER_S));
  showStale(
    `This page slept: every figure on it is ${minutes} min old. The console is asked anew.`,
  );
}

async function keepFresh() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, refreshMs));
    // A tab that nobody sees asks nothing; seen again, it asks at once.
    while (document.hidden) {
      await new Promise((resolve) =>
        document.addEventListener('visibilitychange', resolve, { once: true }),
      );
    }
    showSlept();
    await refresh();
  }
}

const drawn = new Map();

/** A canvas knows no variables, and no light-dark(): the browser is asked what they are now. */
function colour(name) {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Lines differ by their dashes too, not by colour alone. */
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 5], [8, 8]];
/** Is what stands for each of the dashes in the legend. */
const BORDERS = ['solid', 'dashed', 'dotted', 'double', 'dotted', 'dashed'];
const HEIGHT_PX = 170;
/** Half a write there is not. */
const WHOLE = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

/** Writes the moments of an axis in UTC, as everything else on the page. */
function timesOf(_plot, ticks) {
  const isClose = ticks.length > 1 && ticks[1] - ticks[0] < 60;
  return ticks.map((at) => new Date(at * MS_PER_S).toISOString().slice(11, isClose ? 19 : 16));
}

/** One of what is counted is no plural. */
function countText(value, unit) {
  return `${value} ${value === 1 && unit === 'writes' ? 'write' : unit}`;
}

function optionsOf(box, { unit, series }) {
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line') },
    ticks: { stroke: colour('--line') },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT_PX,
    // The last moment of the axis is written in full.
    padding: [null, 28, null, null],
    legend: {
      live: true,
      markers: { dash: (_plot, index) => BORDERS[(index - 1) % BORDERS.length] },
    },
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, values: timesOf },
      { ...axis, size: 56, ...(unit === 'writes' ? { incrs: WHOLE } : {}) },
    ],
    series: [
      {
        label: 'UTC',
        value: (_plot, at) =>
          at === null ? '–' : new Date(at * MS_PER_S).toISOString().slice(11, 19),
      },
      ...series.map(({ label }, index) => ({
        label,
        stroke: colour(`--line-${(index % 6) + 1}`),
        width: 2,
        dash: DASHES[index % DASHES.length],
        value: (_plot, value) =>
          value === null ? 'not known' : countText(Number(value.toFixed(1)), unit),
        spanGaps: false,
        points: { show: false },
      })),
    ],
  };
}

async function drawPlots() {
  const boxes = [...document.querySelectorAll('[data-plot]')];
  if (boxes.length === 0) return;
  const [{ default: UPlot }, response] = await Promise.all([
    import('/assets/uplot.js'),
    ask('/plots.json'),
  ]);
  if (!response.ok) return;
  const { times, plots } = await response.json();
  for (const box of boxes) {
    const plot = plots[box.dataset.plot];
    const data = [times, ...plot.series.map(({ values }) => values)];
    const known = drawn.get(box);
    if (known === undefined) drawn.set(box, new UPlot(optionsOf(box, plot), data, box));
    else known.setData(data);
    box.classList.toggle(
      'unknown',
      plot.series.every(({ values }) => values.every(isUnknown)),
    );
    // Later: a plot that has just got its data tells of no moment once it has drawn them.
    setTimeout(() => tellNewest(drawn.get(box), times.length - 1));
  }
}

const isUnknown = (value) => value === null;

/** Until somebody points at a moment, the newest is told. */
function tellNewest(plot, idx) {
  if (plot !== undefined && plot.cursor.left < 0) plot.setLegend({ idx });
}

function redraw() {
  for (const plot of drawn.values()) plot.destroy();
  drawn.clear();
  drawPlots().catch(() => undefined);
}

/** What is drawn already is only made to fit: a window that is dragged asks for nothing. */
addEventListener('resize', () => {
  for (const [box, plot] of drawn) plot.setSize({ width: box.clientWidth, height: HEIGHT_PX });
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

// The code of a link is sent once, and is gone from the address before anything else happens.
function sendCode() {
  const form = document.getElementById('enter');
  if (form === null || location.hash.length < 2) return;
  document.getElementById('code').value = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
  form.submit();
}
sendCode();
// A link that is opened where the entrance is shown already loads nothing anew.
addEventListener('hashchange', sendCode);

if (refreshMs > 0) {
  drawPlots().catch(() => undefined);
  void keepFresh();
}
