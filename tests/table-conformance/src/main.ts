// pnpm tables:conformance: the endpoint held against the records of the real service, and against another server.
import { createSeededRandomness } from '@tandem/core/memory';
import { openLocalTables } from '@tandem/table-endpoint/testing';
import { Command } from 'commander';
import { fuzz } from './fuzz/fuzz.ts';
import { runRegions } from './regions/run-regions.ts';
import { EMULATED, openEndpoint, runConformance } from './run-conformance.ts';

const REQUESTS_OF_REGIONS = 600;
const DIFFERENCES_SHOWN_MAX = 20;

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} is no whole number above 0`);
  return value;
};

const {
  requests,
  fuzz: fuzzed,
  seed,
  json,
} = new Command('tables:conformance')
  .description(
    'Holds the Table endpoint against recorded answers of the service, against Azurite, against the clients that people ' +
      'use, two regions against each other, and against what a hostile client sends.',
  )
  .option('--requests <count>', 'how many are sent to both servers', wholeNumber, 3_000)
  .option('--fuzz <count>', 'how many damaged requests are sent', wholeNumber, 20_000)
  .option('--seed <number>', 'the same requests for the same seed', wholeNumber, 1)
  .option('--json', 'one line of JSON at the end', false)
  .parse()
  .opts<{ requests: number; fuzz: number; seed: number; json: boolean }>();

const report = await runConformance({
  requests,
  seed,
  onProgress: (done) => {
    if (!json && done % 1_000 === 0) process.stderr.write(`${done} of ${requests} requests\n`);
  },
});
const { different, unexplained, explained, recorded, firstUnexplained } = report;
for (const one of firstUnexplained) process.stderr.write(`${JSON.stringify(one)}\n`);
if (!json) {
  for (const [reason, count] of Object.entries(explained)) {
    process.stdout.write(`${count} times: ${reason}\n`);
  }
}
const { unforeseen } = await fuzz({
  ...EMULATED,
  endpoint: openEndpoint(await openLocalTables()),
  requests: fuzzed,
  random: createSeededRandomness(seed),
});
for (const one of unforeseen.slice(0, DIFFERENCES_SHOWN_MAX)) process.stderr.write(`${one}\n`);
const { clients, compared } = await runRegions({
  requests: REQUESTS_OF_REGIONS,
  seed,
  onProgress: (what) => void (json || process.stderr.write(`${what}\n`)),
});
for (const one of compared.differences.slice(0, DIFFERENCES_SHOWN_MAX)) {
  process.stderr.write(`${JSON.stringify(one)}\n`);
}
const regionsDiffer = compared.differences.length;
const found = {
  recorded,
  different,
  requests,
  unexplained,
  fuzzed,
  unforeseen: unforeseen.length,
  regionsDiffer,
  clients,
  seed,
};
process.stdout.write(`${JSON.stringify(found)}\n`);
// A client that is absent is said to be, and does not count as one that works.
const isOk =
  different + unexplained + unforeseen.length + regionsDiffer === 0 &&
  Object.values(clients).every((result) => result === 'ok');
process.exitCode = isOk ? 0 : 1;
