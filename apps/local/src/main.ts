// The process: arguments, signals and exit codes. `npm start` and `pnpm dev` run it.
import {
  LocalClusterError,
  listenForStop,
  PROBING_DEFAULT,
  PROBING_FAST,
  removeDataFolder,
} from '@tandem/local-cluster';
import { type LocalOptions, readOptions } from './options/read-options.ts';
import { describeCluster, describeEvent } from './report/describe-cluster.ts';
import { startConsole } from './start-console.ts';
import { startRegions } from './start-regions.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(): Promise<number> {
  // A terminal that is gone is no reason to die in the middle of a stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const reading = readOptions(process.argv.slice(2), process.env);
  if (reading.kind === 'help') {
    console.log(reading.text);
    return 0;
  }
  if (reading.kind === 'invalid') {
    console.error(reading.message);
    return EXIT_USAGE;
  }
  try {
    await run(reading.options);
    return 0;
  } catch (error) {
    if (!(error instanceof LocalClusterError)) throw error;
    if (error.code === 'STOPPED') return 0;
    console.error(error.message);
    return EXIT_FAILED;
  }
}

async function run(options: LocalOptions): Promise<void> {
  const stop = listenForStop();
  if (options.fresh) {
    console.log(`Deleting the data of earlier runs in ${options.data}.`);
    await removeDataFolder(options.data);
  }
  console.log(`Starting the regions ${options.regions.join(', ')}.`);
  const regions = await startRegions({
    regions: options.regions,
    portBase: options.portBase,
    dataFolder: options.data,
    probing: options.fastProbes ? PROBING_FAST : PROBING_DEFAULT,
    signal: stop.signal,
    onEvent: (event) => {
      const text = describeEvent(event);
      if (text !== undefined) console.log(text);
    },
  });
  if (!stop.signal.aborted) {
    const { cluster, inventory } = regions;
    console.log(describeCluster(cluster, inventory));
    const beside = startConsole({ inventory, port: cluster.consolePort });
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
    await beside.stop();
  }
  console.log('Stopping.');
  await regions.stop();
  console.log('Stopped.');
}

process.exitCode = await main();
