// What the infrastructure prints is what the charts, the overlays and the services take.
import type { TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { buildExample, EXAMPLE, valueOf } from '@tandem/infra/testing';
import { describe, expect, it } from 'vitest';
import { renderChart } from '../charts/helm.ts';
import { OPERATOR_PROFILE, TABLES_PROFILE } from '../charts/releases.ts';
import { find, renderRelease, workloadsOf } from '../charts/rendered-release.ts';
import { exitCodeOf, runTandem, SERVICES, startWith } from '../charts/start-service.ts';
import { checkManifests } from '../manifests/check-manifests.ts';

interface RegionValues {
  readonly name: string;
  readonly clientIds: Readonly<Record<string, string>>;
}

describe('the outputs of a stack', () => {
  it('are values with which every region is released', async () => {
    const { deployment } = await buildExample();
    const values = await valueOf(deployment.helmValues);
    const { regions } = (values as { global: { regions: readonly RegionValues[] } }).global;
    for (const { name, clientIds } of regions) {
      const release = { region: name, profile: 'production' };
      const manifests = await renderRelease(release, { extraValues: JSON.stringify(values) });
      expect(await checkManifests(manifests)).toEqual([]);
      expect(find(manifests, 'ServiceAccount', 'replicator').metadata['annotations']).toMatchObject(
        {
          'azure.workload.identity/client-id': clientIds['replicator'],
        },
      );
      const images = workloadsOf(manifests).flatMap(({ pod }) =>
        pod.containers.map(({ image }) => image),
      );
      expect([...new Set(images)].sort()).toEqual([
        'tandemimages.azurecr.io/tandem-customer-api:0.1.0',
        'tandemimages.azurecr.io/tandem-operator:0.1.0',
        'tandemimages.azurecr.io/tandem-replicator:0.1.0',
      ]);
    }
  });

  it('are values with which every region is released with a Table endpoint', async () => {
    const { deployment } = await buildExample({
      tables: { publicHost: 'tables.example.com', dnsLabel: 'tandem-tables' },
      regions: EXAMPLE.regions.map((one) => ({
        ...one,
        tableHost: `${one.name}.tables.example.com`,
      })),
    });
    const values = await valueOf(deployment.helmValues);
    const release = { region: 'west', profile: TABLES_PROFILE };
    const manifests = await renderRelease(release, { extraValues: JSON.stringify(values) });
    expect(await checkManifests(manifests)).toEqual([]);
    expect(find(manifests, 'HTTPRoute', 'table-endpoint')['spec']).toMatchObject({
      hostnames: ['west.tables.example.com', 'tables.example.com'],
    });
  });

  it('are values with which every region has a place for an operator, whose accounts its identities trust', async () => {
    const { deployment, asked } = await buildExample({ operators: true, canary: {} });
    const values = await valueOf(deployment.helmValues);
    const { regions } = (values as { global: { regions: readonly RegionValues[] } }).global;
    const jobs = 'jobs: [{name: a, identity: view, command: [status], schedule: ""}]';
    const subjects = asked.map(({ inputs }) => inputs['subject']);
    for (const { name, clientIds } of regions) {
      const release = { region: name, profile: OPERATOR_PROFILE };
      const { operator } = deployment.helmRegionValues[name] as {
        operator: { canarySchedule: string };
      };
      const own = `canarySchedule: "${operator.canarySchedule}", ${jobs}`;
      const extraValues = `${JSON.stringify(values).slice(0, -1)}, "operator": {${own}}}`;
      const manifests = await renderRelease(release, { extraValues });
      expect(await checkManifests(manifests)).toEqual([]);
      expect(find(manifests, 'CronJob', 'operator-canary')['spec']).toMatchObject({
        schedule: '*/5 * * * *',
      });
      for (const [account, identity] of [
        ['operator-operate', 'operator'],
        ['operator-view', 'viewer'],
      ] as const) {
        expect(find(manifests, 'ServiceAccount', account).metadata['annotations']).toMatchObject({
          'azure.workload.identity/client-id': clientIds[identity],
        });
        expect(subjects).toContain(`system:serviceaccount:tandem:${account}`);
      }
    }
  });

  it('are an inventory that the command line reads', async () => {
    const { deployment } = await buildExample();
    const inventory = await valueOf(deployment.inventory);
    const exitCode = await exitCodeOf(['verify'], { TANDEM_REGIONS: JSON.stringify(inventory) });
    // It goes as far as asking the regions, which nobody can reach; 2 is for what it cannot read.
    expect(exitCode).toBe(4);
  });

  it('name the accounts that the charts make and the identities trust', async () => {
    const { asked } = await buildExample();
    const manifests = await renderRelease({ region: 'east', profile: 'production' });
    const made = manifests.filter(({ kind }) => kind === 'ServiceAccount');
    const subjects = asked.map(({ inputs }) => inputs['subject']);
    for (const { metadata } of made) {
      expect(subjects).toContain(`system:serviceaccount:tandem:${metadata.name}`);
    }
  });

  it('are refused by the chart when a region is left out', async () => {
    const { deployment } = await buildExample();
    const values = (await valueOf(deployment.helmValues)) as {
      global: { regions: RegionValues[] };
    };
    const [first] = values.global.regions;
    const extraValues = JSON.stringify({ global: { ...values.global, regions: [first] } });
    const run = await renderChart({ region: 'east', profile: 'production' }, { extraValues });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain('there is no peer');
  });
});

interface ContainerAppInputs {
  readonly template: {
    readonly containers: readonly {
      readonly name: string;
      readonly args?: readonly string[];
      readonly env: readonly { readonly name: string; readonly value: string }[];
    }[];
  };
}

function containerOf(inputs: Readonly<Record<string, unknown>>) {
  const [container] = (inputs as unknown as ContainerAppInputs).template.containers;
  // The identity is read by Azure's library, not by the program.
  const variables = container?.env.filter(({ name }) => name !== 'AZURE_CLIENT_ID') ?? [];
  const environment = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
  return { name: container?.name ?? '', args: container?.args ?? [], environment };
}

describe('container apps', () => {
  it('start with the settings that the job of their region has written', async () => {
    const { asked } = await buildExample({
      platform: 'container-apps',
      containerApps: { stage: 'apps' },
    });
    const stores = new Map<string, TableStore>();
    for (const { inputs } of asked.filter(({ type }) => type === 'azure-native:app:Job')) {
      const { args, environment } = containerOf(inputs);
      const { regions } = JSON.parse(environment['TANDEM_REGIONS'] ?? '') as {
        readonly regions: readonly { readonly storage: string }[];
      };
      const store = createMemoryTableStore();
      await runTandem(store, args, environment);
      stores.set(regions[0]?.storage ?? '', store);
    }
    expect(stores.size).toBe(2);
    const apps = asked.filter(({ type }) => type === 'azure-native:app:ContainerApp');
    expect(apps).toHaveLength(4);
    for (const { inputs } of apps) {
      const { name: service, environment } = containerOf(inputs);
      const { problems, asked, settings } = await startWith(
        environment,
        SERVICES[service]!,
        stores.get(environment['STORAGE_CONNECTION'] ?? ''),
      );
      expect(problems).toEqual([]);
      expect(Object.keys(environment).filter((name) => !asked.has(name))).toEqual([]);
      expect(settings.peers).toHaveLength(1);
    }
  });

  it('have commands of an operator that tandem knows, and give its console what the chart gives it', async () => {
    const { asked } = await buildExample({
      platform: 'container-apps',
      containerApps: { stage: 'apps' },
      operators: true,
      canary: {},
      console: {
        issuer: 'https://login.example.com',
        clientId: 'console',
        secret: 'console-client',
        allowFrom: ['203.0.113.0/24'],
      },
    });
    const jobs = asked.filter(
      ({ type, name }) =>
        type === 'azure-native:app:Job' && /east-(?:status|verify|doctor|canary)$/.test(name),
    );
    expect(jobs).toHaveLength(4);
    for (const { inputs } of jobs) {
      const { args, environment } = containerOf(inputs);
      // Nobody can reach the regions from here; 2 is for what it does not know or cannot read.
      expect(await exitCodeOf(args, environment)).not.toBe(2);
    }
    const [app] = asked.filter(({ name }) => name === 'tandem-east-console');
    const { args, environment } = containerOf(app?.inputs ?? {});
    const release = { region: 'east', profile: OPERATOR_PROFILE };
    const chart = workloadsOf(await renderRelease(release)).find(({ name }) => name === 'operator');
    const [container] = chart?.pod.containers ?? [];
    expect(Object.keys(environment).sort()).toEqual(container?.env?.map(({ name }) => name).sort());
    expect(args).toEqual((container as unknown as { readonly args: unknown }).args);
  });
});
