// pnpm hostile: what a sender with a stolen key could put into the queue of a region.
import { Command } from 'commander';
import { hasHeld, runHostile } from './run-hostile.ts';

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} is no whole number above 0`);
  return value;
};

const command = new Command('hostile')
  .description('Sends malformed, forged and mutated messages through the shipping inbound path.')
  .option('--messages <count>', 'how many', wholeNumber, 10_000)
  .option('--seed <number>', 'the same messages for the same seed', wholeNumber, 1)
  .option('--json', 'one line of JSON at the end', false)
  .parse();
const { messages, seed, json } = command.opts<{ messages: number; seed: number; json: boolean }>();

const report = await runHostile({ messages, seed });
const { refused, applied, processesEnded, blockedMsMax, heapMiBMax, invariants } = report;
const line = {
  messages,
  refused,
  applied,
  processesEnded,
  blockedMsMax,
  heapMiBMax,
  invariants,
  seed,
};
process.stdout.write(
  json
    ? `${JSON.stringify(line)}\n`
    : `${Object.entries(line)
        .map(([name, value]) => `${name}: ${value}`)
        .join('\n')}\n`,
);
process.exitCode = hasHeld(report) ? 0 : 1;
