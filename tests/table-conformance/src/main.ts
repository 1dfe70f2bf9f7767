// pnpm tables:conformance: the endpoint held against the records of the real service, and against another server.
import { Command } from 'commander';
import { runConformance } from './run-conformance.ts';

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} is no whole number above 0`);
  return value;
};

const { requests, seed, json } = new Command('tables:conformance')
  .description(
    'Holds the Table endpoint against recorded answers of the service and against Azurite.',
  )
  .option('--requests <count>', 'how many are sent to both servers', wholeNumber, 3_000)
  .option('--seed <number>', 'the same requests for the same seed', wholeNumber, 1)
  .option('--json', 'one line of JSON at the end', false)
  .parse()
  .opts<{ requests: number; seed: number; json: boolean }>();

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
process.stdout.write(`${JSON.stringify({ recorded, different, requests, unexplained, seed })}\n`);
process.exitCode = different === 0 && unexplained === 0 ? 0 : 1;
