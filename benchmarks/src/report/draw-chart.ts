/** `node benchmarks/src/report/draw-chart.ts`: docs/performance.svg, of the last valid run in the history. */
import { writeFileSync } from 'node:fs';
import type { ComparedLoads } from '../measures/replicated-vs-bare.ts';
import { lastValidRun, readHistory } from '../run/history.ts';

const PICTURE = new URL('../../../docs/performance.svg', import.meta.url);
const BAR_HEIGHT = 26;
const LEFT = 150;
const WIDTH = 720;
/** What the whole width of the bars stands for, in bare upserts. */
const SCALE_MAX = 2.5;
const COLOURS = ['#2f5d8a', '#4f83b5', '#79a6cf', '#b06a3b', '#cf9468', '#8a8a8a', '#5c8a5c'];

interface Run {
  readonly at: string;
  readonly commit: string;
  readonly loadBefore: number;
  readonly at64: ComparedLoads;
  readonly at256: ComparedLoads;
}

function drawChart(run: Run): string {
  const rows = [run.at64, run.at256];
  const names = Object.keys(run.at64.cpuMsPerWrite);
  const bars = rows.map((row, index) => drawRow(row, 60 + index * 110));
  const legend = names.map((name, index) => {
    const [x, y] = [LEFT + (index % 4) * 140, 282 + Math.floor(index / 4) * 20];
    return `<rect x="${x}" y="${y}" width="12" height="12" fill="${COLOURS[index]}"/><text x="${x + 18}" y="${y + 11}">${name}</text>`;
  });
  const one = x(1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 90}" height="330" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="16" y="26" font-size="15">Replicated writes against bare upserts (1 = a bare upsert), commit ${run.commit}</text>`,
    `<line x1="${one}" y1="44" x2="${one}" y2="262" stroke="#999" stroke-dasharray="4 3"/>`,
    ...bars,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function x(value: number): number {
  return LEFT + (Math.min(value, SCALE_MAX) / SCALE_MAX) * WIDTH;
}

function drawRow(row: ComparedLoads, y: number): string {
  const { median, min, max } = row.throughput;
  const middle = y + BAR_HEIGHT / 2;
  const total = Object.values(row.cpuMsPerWrite).reduce((sum, one) => sum + one, 0);
  let at = LEFT;
  const parts = Object.values(row.cpuMsPerWrite).map((own, index) => {
    const width = ((own / total) * Math.min(row.cpu.median, SCALE_MAX) * WIDTH) / SCALE_MAX;
    const part = `<rect x="${at.toFixed(1)}" y="${y + 40}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${COLOURS[index]}"/>`;
    at += width;
    return part;
  });
  return [
    `<text x="16" y="${middle + 4}">${row.writers} writers, rate</text>`,
    `<rect x="${LEFT}" y="${y}" width="${(x(median) - LEFT).toFixed(1)}" height="${BAR_HEIGHT}" fill="#3b7a57"/>`,
    `<line x1="${x(min)}" y1="${middle}" x2="${x(max)}" y2="${middle}" stroke="black"/>`,
    `<text x="${x(Math.max(median, max)) + 8}" y="${middle + 4}">${median}</text>`,
    `<text x="16" y="${middle + 44}">processor time</text>`,
    ...parts,
    `<text x="${at + 8}" y="${middle + 44}">${row.cpu.median}</text>`,
  ].join('\n');
}

const last = lastValidRun(readHistory());
if (last === undefined)
  throw new Error('The history holds no valid run: record one with pnpm bench --record.');
writeFileSync(PICTURE, drawChart(last as Run));
