// Starts the services as far as their tables, which are in memory: what they say of an environment is
// what they would say of a container's.

import { runProgram } from '@tandem/cli/program';
import { type TableStore, TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { readConfig as readApiConfig } from '@tandem/customer-api/config';
import { prepareRegion } from '@tandem/region';
import { readConfig as readReplicatorConfig } from '@tandem/replicator/config';
import { createSystemClock, createSystemRandomness } from '@tandem/service-kit';
import { readConfig as readEndpointConfig } from '@tandem/table-endpoint/config';

type Environment = Readonly<Record<string, string | undefined>>;
type ReadConfig = (environment: Environment) => readonly string[];
type Reading = { readonly ok: true } | { readonly ok: false; readonly problems: readonly string[] };

function problemsOf(reading: Reading): readonly string[] {
  return reading.ok ? [] : reading.problems;
}

/** By service, the problems with an environment. */
export const SERVICES: Readonly<Record<string, ReadConfig>> = {
  'customer-api': (environment) => problemsOf(readApiConfig(environment)),
  replicator: (environment) => problemsOf(readReplicatorConfig(environment)),
  'table-endpoint': (environment) => problemsOf(readEndpointConfig(environment)),
};

/** The problems, the variables that were asked for, and the settings that came of them. */
export async function startWith(
  environment: Record<string, string>,
  readConfig: ReadConfig,
  store: TableStore = createMemoryTableStore(),
) {
  const asked = new Set<string>();
  const watched = new Proxy<Environment>(environment, {
    get: (target, name) => {
      asked.add(String(name));
      return target[String(name)];
    },
  });
  const problems = [...readConfig(watched)];
  const opened = await prepareRegion({
    region: environment['REGION_ID'] ?? '',
    store,
    kinds: [],
    clock: { nowMs: () => 0 },
    environment: watched,
    refreshMs: 1_000,
    onRefreshFailed: (error) => problems.push(error.message),
  });
  return { problems, asked, settings: opened.settings };
}

/**
 * Runs a command of the image `operator` in this process, with a table as the account of its region, and returns what it said.
 * Throws where it fails.
 */
export async function runTandem(
  store: TableStore,
  args: readonly string[],
  environment: Environment,
): Promise<string> {
  const { code, said } = await runHere(() => store, args, environment);
  if (code !== 0) throw new Error(said);
  return said;
}

/** Runs a command where no region answers, and returns its exit code. */
export async function exitCodeOf(
  args: readonly string[],
  environment: Environment,
): Promise<number> {
  const away = async (): Promise<never> => {
    throw new TransientError('TABLE_UNAVAILABLE', 'Nobody answers here.');
  };
  const store = new Proxy(createMemoryTableStore(), { get: () => away });
  return (await runHere(() => store, args, environment)).code;
}

/** Asks our own command line how a command is used, in this process: one of its own takes seconds to load. */
export function helpOfTandem(args: readonly string[]): ReturnType<typeof runHere> {
  return runHere(createMemoryTableStore, [...args, '--help'], {});
}

async function runHere(
  openStore: () => TableStore,
  args: readonly string[],
  environment: Environment,
): Promise<{ readonly code: number; readonly said: string }> {
  const said: string[] = [];
  const code = await runProgram(args, {
    out: (text) => void said.push(text),
    err: (text) => void said.push(text),
    isTerminal: false,
    environment,
    folder: '/nonexistent',
    openStore,
    inspectQueue: () => Promise.reject(new TransientError('BUS_UNAVAILABLE', 'It asks no queue.')),
    readReadiness: async () => undefined,
    openQueue: () => {
      throw new Error('It opens no queue.');
    },
    clock: createSystemClock(),
    randomness: createSystemRandomness(),
    signal: new AbortController().signal,
  });
  return { code, said: said.join('') };
}
