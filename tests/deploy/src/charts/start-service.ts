// Starts the services as far as their tables, which are in memory: what they say of an environment is
// what they would say of a container's.

import { createMemoryTableStore } from '@tandem/core/memory';
import { readConfig as readApiConfig } from '@tandem/customer-api/config';
import { prepareRegion } from '@tandem/region';
import { readConfig as readReplicatorConfig } from '@tandem/replicator/config';
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
export async function startWith(environment: Record<string, string>, readConfig: ReadConfig) {
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
    store: createMemoryTableStore(),
    kinds: [],
    clock: { nowMs: () => 0 },
    environment: watched,
    refreshMs: 1_000,
    onRefreshFailed: (error) => problems.push(error.message),
  });
  return { problems, asked, settings: opened.settings };
}
