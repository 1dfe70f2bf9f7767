// The charts' settings against those of the services: the services themselves read them.

import { readFileSync } from 'node:fs';
import type { TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  environmentNameOf,
  REPLICATION_TABLE,
  readConfigurationRow,
  readConfigurationRows,
  readSettingHistory,
  type SettingDefinition,
  tandemSettings,
  writeSetting,
} from '@tandem/storage';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../tools/folders.ts';
import { CHART } from './helm.ts';
import { RELEASES, servicesOf, TABLES_PROFILE } from './releases.ts';
import { type EnvironmentEntry, find, renderRelease, workloadsOf } from './rendered-release.ts';
import { runTandem, SERVICES, startWith } from './start-service.ts';

/** What a vault would hold, for the profiles whose settings are references. */
const SECRETS: Readonly<Record<string, string>> = {
  'storage-connection': 'UseDevelopmentStorage=true',
  'service-bus-connection':
    'Endpoint=sb://own.example.com/;SharedAccessKeyName=a;SharedAccessKey=b',
  'table-accounts': `shop:${Buffer.alloc(64, 1).toString('base64')}`,
  peers: '[{"region":"north","connection":"north.servicebus.windows.net"}]',
};
/** What the table Configuration lacks then. */
const MISSING: Readonly<Record<string, string>> = {
  SERVICE_BUS_CONNECTION: 'ServiceBusConnection',
  PEER_REGION: 'Peer.Region',
  REDUNDANCY_SERVICE_BUS_CONNECTION: 'RedundancyServiceBusConnection',
};
const RELEASE_JOB = 'tandem-configuration';
const IN_ENVIRONMENT = 'global: {settingsIn: environment}';
/** What a service has of its release's settings by its table alone. */
const NEVER_IN_A_SERVICE = new Set(Object.keys(tandemSettings).map(environmentNameOf));

async function environmentOf(
  release: (typeof RELEASES)[number],
  [workload, extraValues]: readonly [string, (string | undefined)?],
): Promise<Record<string, string>> {
  const options = extraValues === undefined ? {} : { extraValues };
  const workloads = workloadsOf(await renderRelease(release, options));
  const entries = workloads.find(({ name }) => name === workload)?.pod.containers[0]?.env ?? [];
  return Object.fromEntries(entries.map((entry) => [entry.name, textOf(entry)]));
}

function textOf({ value, valueFrom }: EnvironmentEntry): string {
  return value ?? SECRETS[valueFrom?.secretKeyRef?.key ?? ''] ?? '';
}

/**
 * Runs the release's own job as far as the table, and starts the service with what it finds there. The command is that of the
 * image `operator`, in this process.
 */
async function startAfterJob(
  release: (typeof RELEASES)[number],
  service: string,
  extraValues?: string,
): Promise<ReturnType<typeof startWith>> {
  const store = createMemoryTableStore();
  await runReleaseJob(store, release, extraValues);
  return startWith(await environmentOf(release, [service, extraValues]), SERVICES[service]!, store);
}

async function runReleaseJob(
  store: TableStore,
  release: (typeof RELEASES)[number],
  extraValues?: string,
): Promise<string> {
  const environment = await environmentOf(release, [RELEASE_JOB, extraValues]);
  const workloads = workloadsOf(
    await renderRelease(release, extraValues === undefined ? {} : { extraValues }),
  );
  const [container] = workloads.find(({ name }) => name === RELEASE_JOB)?.pod.containers ?? [];
  const { args } = container as unknown as { readonly args: readonly string[] };
  return runTandem(store, args, environment);
}

const CASES = RELEASES.flatMap((release) =>
  servicesOf(release).map((service) => ({ ...release, service })),
);

/** Made from the list of regions, so that regions cannot contradict each other. */
const DERIVED = [
  'Customer.DataAccess',
  'Customer.Queue',
  'ServiceBusConnection',
  'RedundancyServiceBusConnection',
  'Peer.Region',
  'Peers',
];

describe('the settings of a release', () => {
  it('may be every setting of the table Configuration that does not follow from the regions', () => {
    const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as {
      $defs: { settings: { properties: Record<string, unknown> } };
    };
    const allowed = Object.keys(schema.$defs.settings.properties);
    const names = Object.entries<SettingDefinition>(tandemSettings).flatMap(
      ([setting, { formerName }]) => (formerName === undefined ? [setting] : [setting, formerName]),
    );
    expect([...allowed, ...DERIVED].sort()).toEqual(names.sort());
  });

  it.each(CASES)('start $service: $region, $profile', async ({ service, ...release }) => {
    const environment = await environmentOf(release, [service]);
    expect(Object.keys(environment).filter((name) => NEVER_IN_A_SERVICE.has(name))).toEqual([]);
    const { problems, asked, settings } = await startAfterJob(release, service);
    expect(problems).toEqual([]);
    const unread = Object.keys(environment).filter((name) => !asked.has(name));
    expect(unread).toEqual([]);
    expect(settings.dataAccess).toBe('multi-region');
    expect(settings.queue).toBe('customer');
  });

  it('name every other region as a peer, with its own namespace', async () => {
    for (const [region, peer] of [
      ['east', 'west'],
      ['west', 'east'],
    ] as const) {
      const release = { region, profile: 'production' };
      const environment = await environmentOf(release, [RELEASE_JOB]);
      const { settings } = await startAfterJob(release, 'replicator');
      expect(environment).toMatchObject({
        SERVICE_BUS_CONNECTION: `tandem-${region}.servicebus.windows.net`,
        REDUNDANCY_SERVICE_BUS_CONNECTION: `tandem-${peer}.servicebus.windows.net`,
      });
      expect(settings.peers.map((one) => [one.region, one.connection.reveal(), one.queue])).toEqual(
        [[peer, `tandem-${peer}.servicebus.windows.net`, 'customer']],
      );
    }
  });

  it('reach the service under the names of the table Configuration', async () => {
    const extraValues = `global:
  settings:
    Readiness.LagMsMax: 30000
    Readiness.WaitMsMax: 604800000
    Tombstone.AgeMs: 7776000000
    Api.Preconditions: required
`;
    const release = { region: 'east', profile: 'production' };
    const environment = await environmentOf(release, [RELEASE_JOB, extraValues]);
    const { settings } = await startAfterJob(release, 'customer-api', extraValues);
    expect(settings.readiness).toMatchObject({ lagMsMax: 30_000, waitMsMax: 604_800_000 });
    expect(settings.tombstoneAgeMs).toBe(7_776_000_000);
    expect(environment).toMatchObject({ API_PRECONDITIONS: 'required' });
  });

  it('reach the service under their old names, too', async () => {
    const extraValues = 'global: {settings: {Customer.BucketCount: 8}}';
    const release = { region: 'east', profile: 'production' };
    const environment = await environmentOf(release, [RELEASE_JOB, extraValues]);
    const { settings } = await startAfterJob(release, 'replicator', extraValues);
    expect(environment).toMatchObject({ CUSTOMER_BUCKET_COUNT: '8' });
    expect(settings.bucketCount).toBe(8);
  });

  it.each(['customer-api', 'replicator', 'table-endpoint'])(
    'are refused by %s when one that it requires is missing',
    async (service) => {
      const release = { region: 'east', profile: TABLES_PROFILE };
      // As the releases before had it, which are still read.
      const environment = await environmentOf(release, [service, IN_ENVIRONMENT]);
      for (const name of ['REGION_ID', 'STORAGE_CONNECTION', 'PORT']) {
        const { [name]: _removed, ...rest } = environment;
        expect(SERVICES[service]!(rest)).toEqual([expect.stringContaining(name)]);
      }
      for (const name of Object.keys(MISSING)) {
        const { [name]: _removed, ...rest } = environment;
        await expect(startWith(rest, SERVICES[service]!)).rejects.toThrow(MISSING[name]);
      }
    },
  );

  it('of the metrics are variables that the services document', async () => {
    const extraValues = 'global: {serviceMonitor: {enabled: true}}';
    const documented = readFileSync(`${ROOT}docs/configuration.md`, 'utf8');
    for (const service of Object.keys(SERVICES)) {
      const release = { region: 'east', profile: TABLES_PROFILE };
      const environment = await environmentOf(release, [service, extraValues]);
      expect(SERVICES[service]!(environment)).toEqual([]);
      const names = Object.keys(environment).filter((name) => name.startsWith('OTEL_'));
      expect(names).toHaveLength(3);
      for (const name of names) expect(documented).toContain(`| \`${name}\` |`);
    }
  });

  it('of the configuration check are those of the replicator', async () => {
    for (const release of RELEASES) {
      const own = await environmentOf(release, ['replicator', IN_ENVIRONMENT]);
      const checked = await environmentOf(release, ['tandem-configuration-check']);
      expect({
        ...checked,
        PORT: own['PORT'],
        SHUTDOWN_DEADLINE_MS: own['SHUTDOWN_DEADLINE_MS'],
      }).toEqual(own);
      expect(SERVICES['replicator']!(checked)).toEqual([]);
    }
  });

  it('are written by a job that says who, takes away what is left out, and leaves to a person what he set', async () => {
    const store = createMemoryTableStore();
    const release = { region: 'east', profile: 'production' };
    await runReleaseJob(
      store,
      release,
      'global: {settings: {Readiness.LagMsMax: 30000, Sweep.IntervalMs: 500}}',
    );
    await writeSetting(store, {
      setting: 'Sweep.IntervalMs',
      text: '700',
      by: 'ada',
      atMs: Date.now(),
      isSecret: false,
    });
    expect(await runReleaseJob(store, release)).toContain('Readiness.LagMsMax');
    const { settings } = await startWith(
      await environmentOf(release, ['replicator']),
      SERVICES['replicator']!,
      store,
    );
    expect(settings.readiness.lagMsMax).toBe(15_000);
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBe('700');
    const changes = await readSettingHistory(store, 'Readiness.LagMsMax');
    expect(changes.map(({ by, after }) => [by, after])).toEqual([
      ['release tandem 1, 0.1.0', '30000'],
      ['release tandem 1, 0.1.0', undefined],
    ]);
    expect(await runReleaseJob(store, release)).toContain('are as this release has them');
  });

  it('are written after they were looked at and before anything is changed, also when a release goes back', async () => {
    const manifests = await renderRelease({ region: 'east', profile: 'production' });
    const hooks = ['tandem-configuration-check', RELEASE_JOB].map(
      (name) => find(manifests, 'Job', name).metadata['annotations'],
    );
    const hook = 'pre-install,pre-upgrade,pre-rollback';
    expect(hooks).toMatchObject([
      { 'helm.sh/hook': hook, 'helm.sh/hook-weight': '0' },
      { 'helm.sh/hook': hook, 'helm.sh/hook-weight': '5' },
    ]);
  });

  it('stay in the environment where a release says so, and its job only looks', async () => {
    const store = createMemoryTableStore();
    await store.createTable(CONFIGURATION_TABLE);
    const said = await runReleaseJob(
      store,
      { region: 'east', profile: 'production' },
      'global: {settingsIn: environment, settings: {Sweep.IntervalMs: 700}}',
    );
    expect(said).toMatch(/Sweep\.IntervalMs[ │]+700/);
    expect(await readConfigurationRows(store)).toEqual(new Map());
  });

  it.each(['table', 'environment'])(
    'I10: are refused while a peer does not read their wire version, also where they stay in the %s',
    async (settingsIn) => {
      const store = createMemoryTableStore();
      await store.createTable(REPLICATION_TABLE);
      const nowMs = Date.now();
      const beat = (wireVersion: number): Promise<void> =>
        createTableReplicationStatus({ store }).beat({
          nowMs,
          catchingUpSinceMs: undefined,
          hasBacklog: false,
          peers: [
            {
              peer: 'west',
              isReachable: true,
              passedMs: nowMs,
              reads: { heardMs: nowMs + wireVersion, wireVersion },
            },
          ],
          readsWireVersion: 8,
        });
      const release = (): Promise<string> =>
        runReleaseJob(
          store,
          { region: 'east', profile: 'production' },
          `global: {settingsIn: ${settingsIn}, settings: {Messages.WireVersion: 8}}`,
        );
      await beat(7);
      await expect(release()).rejects.toThrow('west reads up to 7');
      await beat(8);
      expect(await release()).toMatch(/Messages\.WireVersion[ │]+8/);
    },
  );
});
