// pnpm tables:migrate: a plain table of any size is taken over under live clients, and what came of it printed as JSON.
import { parseArgs } from 'node:util';
import { runMigration } from './run-migration.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '16' },
    kills: { type: 'string', default: '4' },
    'rows-per-second': { type: 'string' },
    store: { type: 'string', default: 'azurite' },
  },
});

const wholeNumber = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Error(`--${name} is ${text}: it is a whole number.`);
};

const { store } = values;
if (store !== 'azurite' && store !== 'sorted') {
  throw new Error(`--store is ${store}: it is azurite, or sorted.`);
}

const report = await runMigration({
  rows: wholeNumber('rows', values.rows),
  clients: wholeNumber('clients', values.clients),
  kills: wholeNumber('kills', values.kills),
  rowsPerSecond:
    values['rows-per-second'] === undefined
      ? undefined
      : wholeNumber('rows-per-second', values['rows-per-second']),
  store,
  onProgress: (what) => void process.stderr.write(`${what}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
const { failed, lost, doubled, missed, different, heldTagsRefused } = report;
const faults = failed.length + lost + doubled + missed + different + heldTagsRefused;
process.exitCode = faults === 0 ? 0 : 1;
