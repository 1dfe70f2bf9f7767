// The process: arguments, signals and exit codes. `npm start` and `pnpm dev` run it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  EXIT_WITH_PARENT,
  LocalClusterError,
  listenForStop,
  PROBING_DEFAULT,
  PROBING_FAST,
  removeDataFolder,
} from '@tandem/local-cluster';
import { type LocalOptions, readOptions } from './options/read-options.ts';
import { describeCluster, describeEvent } from './report/describe-cluster.ts';
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

// The console beside the regions: a process of its own, so that it shows also that everything else is gone. What it
// says goes to the terminal and into no log, since its link lets whoever reads it in.

interface LocalConsole {
  /** Resolves when it is gone. */
  stop(): Promise<void>;
}

const STOP_MS_MAX = 10_000;

/** Starts it, and does not wait: it prints its link when it listens. One that ends by itself has said why. */
function startConsole({
  inventory,
  port,
}: {
  /** Is the file that says where the regions are. */
  readonly inventory: string;
  readonly port: number;
}): LocalConsole {
  const main = fileURLToPath(import.meta.resolve('@tandem/cli/main'));
  const args = ['--regions', inventory, 'console', '--port', String(port)];
  const child = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, main, ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // One that cannot be started is told of, and leaves the regions running.
  const ended = once(child, 'exit').catch((error: unknown) =>
    console.error(`The console could not be started: ${String(error)}`),
  );
  return {
    async stop() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    },
  };
}

process.exitCode = await main();
