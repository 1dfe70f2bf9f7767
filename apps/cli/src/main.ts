// The process: streams, signals and the exit code. What it does is in program.ts.
import { createInterface } from 'node:readline/promises';
import { DefaultAzureCredential } from '@azure/identity';
import { createServiceBusQueueViewer, inspectQueue, readQueueCounts } from '@tandem/messaging';
import { openStore } from '@tandem/region';
import { createSystemClock, createSystemRandomness } from '@tandem/service-kit';
import { readReadiness } from './drill/drill-over-http.ts';
import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';

const stop = new AbortController();

function onSignal(): void {
  // The second one does not wait for what is under way.
  if (stop.signal.aborted) process.exit(EXIT.interrupted);
  stop.abort();
}

process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
// A reader that has seen enough, as `head` has, is no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question, { signal });
  } finally {
    lines.close();
  }
}

async function readToken(scope: string): Promise<string> {
  return (await new DefaultAzureCredential().getToken(scope)).token;
}

const exitCode = await runProgram(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
  environment: process.env,
  folder: process.cwd(),
  openStore,
  inspectQueue,
  readReadiness,
  readToken,
  openQueue: createServiceBusQueueViewer,
  countMessages: readQueueCounts,
  clock: createSystemClock(),
  randomness: createSystemRandomness(),
  ...(process.stdin.isTTY && process.stderr.isTTY ? { ask } : {}),
  signal: stop.signal,
});

// Everything is closed, and still @azure/service-bus 7.9.5 leaves timers that would hold the process up
// for a minute or two. What was written to a pipe must be gone before it ends.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise((resolve) => stream.write('', resolve));
}
process.exit(exitCode);
