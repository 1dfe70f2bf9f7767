// The process: arguments, exit codes and signals. What it does is in run/.
import {
  type ClusterEvent,
  LocalClusterError,
  listenForStop,
  PROBING_DEFAULT,
  PROBING_FAST,
  startCluster,
} from '@tandem/local-cluster';
import { makeCustomers, makeOrders } from './customers/make-customers.ts';
import { readCustomerFile } from './customers/read-customer-file.ts';
import { COUNT_DEFAULT, type DemoOptions, readOptions } from './options/read-options.ts';
import {
  type DemoReport,
  describeFaults,
  hasSucceeded,
  toJsonLine,
  toTable,
} from './report/demo-report.ts';
import { createProgress, type Progress } from './report/progress.ts';
import {
  customersTarget,
  ordersTarget,
  runFailOver,
  runPlain,
  type Target,
} from './run/run-demo.ts';

const EXIT_NOT_EQUAL = 1;
const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;

async function main(): Promise<number> {
  const reading = readOptions(process.argv.slice(2));
  if (reading.kind === 'help') {
    process.stdout.write(`${reading.text}\n`);
    return 0;
  }
  if (reading.kind === 'invalid') return complain(reading.message, EXIT_USAGE);
  const { options } = reading;
  const input = await readInput(options);
  if (typeof input === 'string') return complain(input, EXIT_USAGE);
  const progress = createProgress(process.stderr);
  try {
    const report = await runDemo(options, { target: input, progress });
    if (report === undefined) return EXIT_STOPPED;
    if (options.json) process.stdout.write(`${toJsonLine(report)}\n`);
    else process.stdout.write(`${toTable(report)}\n`);
    for (const fault of describeFaults(report)) process.stderr.write(`${fault}\n`);
    return hasSucceeded(report) ? 0 : EXIT_NOT_EQUAL;
  } catch (error) {
    progress.end();
    if (error instanceof LocalClusterError) return complain(error.message, EXIT_NOT_EQUAL);
    throw error;
  }
}

/** What is to be written, or what is wrong with the file. */
async function readInput(options: DemoOptions): Promise<Target | string> {
  const { customers, table, count = COUNT_DEFAULT } = options;
  if (table !== undefined) {
    return customers === undefined
      ? ordersTarget(table, makeOrders(count))
      : 'Orders are made up: leave out --customers or --table.';
  }
  if (customers === undefined) return customersTarget(makeCustomers(count));
  const parsed = await readCustomerFile(customers);
  if (parsed.kind === 'problem') return parsed.problem;
  return customersTarget(parsed.customers.slice(0, options.count));
}

interface DemoParts {
  readonly target: Target;
  readonly progress: Progress;
}

/** Undefined when it was told to stop. */
async function runDemo(
  options: DemoOptions,
  { target, progress }: DemoParts,
): Promise<DemoReport | undefined> {
  const stop = listenForStop();
  progress.say(`Starting the regions ${options.regions.join(', ')}.`);
  try {
    const cluster = await startCluster({
      regions: options.regions,
      probing: options.failOver ? PROBING_FAST : PROBING_DEFAULT,
      keepData: options.keep,
      onEvent: (event) => tell(event, progress),
      signal: stop.signal,
    });
    const run = options.failOver ? runFailOver : runPlain;
    const stopped = new Promise<undefined>((resolve) => {
      stop.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    try {
      const running = run(cluster, { target, concurrency: options.concurrency, progress });
      // When it is told to stop, whatever the run still does fails for want of its regions.
      running.catch(() => undefined);
      return await Promise.race([running, stopped]);
    } finally {
      progress.say(
        options.keep ? `Stopping; the data stays in ${cluster.dataFolder}.` : 'Stopping.',
      );
      await cluster.stop();
    }
  } catch (error) {
    if (error instanceof LocalClusterError && error.code === 'STOPPED') return undefined;
    throw error;
  }
}

function tell(event: ClusterEvent, progress: Progress): void {
  if (event.kind === 'ended') progress.say(event.message);
  if (event.kind === 'killed') progress.say(`The ${event.process} did not stop and was killed.`);
}

function complain(message: string, exitCode: number): number {
  process.stderr.write(`${message}\n`);
  return exitCode;
}

process.exit(await main());
