// The charts' settings against those of the services: the services themselves read them.

import { readFileSync } from 'node:fs';
import { type SettingDefinition, tandemSettings } from '@tandem/storage';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../tools/folders.ts';
import { CHART } from './helm.ts';
import { RELEASES, servicesOf, TABLES_PROFILE } from './releases.ts';
import { type EnvironmentEntry, renderRelease, workloadsOf } from './rendered-release.ts';
import { SERVICES, startWith } from './start-service.ts';

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
  PEERS: 'Peer.Region and RedundancyServiceBusConnection',
};

async function environmentOf(
  release: (typeof RELEASES)[number],
  [workload, extraValues]: readonly [string, string?],
): Promise<Record<string, string>> {
  const options = extraValues === undefined ? {} : { extraValues };
  const workloads = workloadsOf(await renderRelease(release, options));
  const entries = workloads.find(({ name }) => name === workload)?.pod.containers[0]?.env ?? [];
  return Object.fromEntries(entries.map((entry) => [entry.name, textOf(entry)]));
}

function textOf({ value, valueFrom }: EnvironmentEntry): string {
  return value ?? SECRETS[valueFrom?.secretKeyRef?.key ?? ''] ?? '';
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
    const { problems, asked, settings } = await startWith(environment, SERVICES[service]!);
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
      const environment = await environmentOf({ region, profile: 'production' }, ['replicator']);
      const { settings } = await startWith(environment, SERVICES['replicator']!);
      expect(environment['SERVICE_BUS_CONNECTION']).toBe(`tandem-${region}.servicebus.windows.net`);
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
    const environment = await environmentOf(release, ['customer-api', extraValues]);
    const { settings } = await startWith(environment, SERVICES['customer-api']!);
    expect(settings.readiness).toMatchObject({ lagMsMax: 30_000, waitMsMax: 604_800_000 });
    expect(settings.tombstoneAgeMs).toBe(7_776_000_000);
    expect(environment).toMatchObject({ API_PRECONDITIONS: 'required' });
  });

  it('reach the service under their old names, too', async () => {
    const extraValues = 'global: {settings: {Customer.BucketCount: 8}}';
    const release = { region: 'east', profile: 'production' };
    const environment = await environmentOf(release, ['replicator', extraValues]);
    const { settings } = await startWith(environment, SERVICES['replicator']!);
    expect(environment).toMatchObject({ CUSTOMER_BUCKET_COUNT: '8' });
    expect(settings.bucketCount).toBe(8);
  });

  it.each(['customer-api', 'replicator', 'table-endpoint'])(
    'are refused by %s when one that it requires is missing',
    async (service) => {
      const release = { region: 'east', profile: TABLES_PROFILE };
      const environment = await environmentOf(release, [service]);
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
      const own = await environmentOf(release, ['replicator']);
      const checked = await environmentOf(release, ['tandem-configuration-check']);
      expect({
        ...checked,
        PORT: own['PORT'],
        SHUTDOWN_DEADLINE_MS: own['SHUTDOWN_DEADLINE_MS'],
      }).toEqual(own);
      expect(SERVICES['replicator']!(checked)).toEqual([]);
    }
  });
});
