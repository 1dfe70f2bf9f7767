// What makes a region one that is upgraded, scaled and broken without another.
import { describe, expect, it } from 'vitest';
import { upgradeTimeOf } from './platform/kubernetes.ts';
import { buildExample } from './testing/build-example.ts';
import { appsOf, EXAMPLE } from './testing/mock-deployment.ts';
import { CONTAINER_APPS } from './testing/variants.ts';

describe('a deployment, region by region', () => {
  const eastRuns = (imageTag: string, platform: object = CONTAINER_APPS) => {
    const [east, west] = EXAMPLE.regions;
    return buildExample({ ...platform, regions: [{ ...east, imageTag }, west] });
  };

  it('runs two versions at once, and an upgrade of one region changes nothing of another', async () => {
    const before = (await eastRuns('0.1.0')).asked;
    const after = (await eastRuns('0.2.0')).asked;
    const texts = new Map(before.map(({ type, name, inputs }) => [`${type} ${name}`, inputs]));
    expect(after.map(({ type, name }) => `${type} ${name}`).sort()).toEqual(
      [...texts.keys()].sort(),
    );
    const changed = after.filter(
      ({ type, name, inputs }) =>
        JSON.stringify(texts.get(`${type} ${name}`)) !== JSON.stringify(inputs),
    );
    expect(changed.map(({ name }) => name).sort()).toEqual([
      'tandem-east-customer-api',
      'tandem-east-replicator',
      'tandem-east-settings',
    ]);
    expect(
      appsOf(after).flatMap(({ template }) =>
        template.containers.map(({ image }) => image.split('/').at(-1)),
      ),
    ).toEqual([
      'tandem-customer-api:0.2.0',
      'tandem-replicator:0.2.0',
      'tandem-customer-api:0.1.0',
      'tandem-replicator:0.1.0',
    ]);
  });

  it('tells each release its own version, size, level of logs and wire version, and no other', async () => {
    const [east, west] = EXAMPLE.regions;
    const { deployment } = await buildExample({
      regions: [
        {
          ...east,
          imageTag: '0.2.0',
          logLevel: 'debug',
          wireVersion: 8,
          replicas: { customerApi: { min: 4, max: 5 } },
        },
        west,
      ],
    });
    expect(deployment.helmRegionValues).toEqual({
      east: {
        global: {
          region: 'east',
          image: { tag: '0.2.0' },
          settings: { 'Messages.WireVersion': 8 },
        },
        'customer-api': { replicas: { min: 4, max: 5 }, logLevel: 'debug' },
        replicator: { logLevel: 'debug' },
      },
      west: {
        global: { region: 'west', image: { tag: '0.1.0' } },
        'customer-api': {},
        replicator: {},
      },
    });
  });

  it('never upgrades two regions in the same hours of a week', async () => {
    const times = Array.from({ length: 33 }, (_, place) => JSON.stringify(upgradeTimeOf(place)));
    expect(new Set(times).size).toBe(times.length);
    const { asked } = await buildExample();
    const windows = asked
      .filter(({ type }) => type === 'azure-native:containerservice:MaintenanceConfiguration')
      .map(({ name, inputs: { maintenanceWindow } }) => ({ name, maintenanceWindow }))
      .sort((a, b) => a.name.localeCompare(b.name));
    const of = (region: string, day: string) =>
      ['aksManagedAutoUpgradeSchedule', 'aksManagedNodeOSUpgradeSchedule'].map((schedule) => ({
        name: `tandem-${region}-${schedule}`,
        maintenanceWindow: expect.objectContaining({
          startTime: '04:00',
          schedule: { weekly: { dayOfWeek: day, intervalWeeks: 1 } },
        }),
      }));
    expect(windows).toEqual([...of('east', 'Tuesday'), ...of('west', 'Monday')]);
  });

  it('runs the services on nodes of their own, beside which the cluster does not starve', async () => {
    const { asked } = await buildExample();
    const clusters = asked.filter(({ type }) => type.endsWith(':ManagedCluster'));
    for (const { inputs } of clusters)
      expect(inputs['agentPoolProfiles']).toMatchObject([
        { mode: 'System', nodeTaints: ['CriticalAddonsOnly=true:NoSchedule'] },
      ]);
    const pools = asked.filter(({ type }) => type.endsWith(':AgentPool'));
    expect(pools.map(({ inputs }) => inputs)).toEqual(
      clusters.map(() =>
        expect.objectContaining({ mode: 'User', availabilityZones: ['1', '2', '3'] }),
      ),
    );
  });
});
