// What makes a region one that is upgraded, scaled and broken without another.
import { output, runtime } from '@pulumi/pulumi';
import { describe, expect, it } from 'vitest';
import type { Deployment } from './build-deployment.ts';
import { upgradeTimeOf } from './platform/kubernetes.ts';
import { buildExample, valueOf } from './testing/build-example.ts';
import { appsOf, EXAMPLE, recordResources } from './testing/mock-deployment.ts';
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

  it.each([
    ['its size', { replicas: { customerApi: { min: 4, max: 5 }, replicator: { min: 3, max: 4 } } }],
    ['its log level', { logLevel: 'debug' }],
    ['its wire version', { wireVersion: 8 }],
  ])('changes nothing of another region with %s', async (_, switches) => {
    const [east, west] = EXAMPLE.regions;
    const build = async (one: object) => (await buildExample(one)).asked;
    const before = await build(CONTAINER_APPS);
    const after = await build({ ...CONTAINER_APPS, regions: [{ ...east, ...switches }, west] });
    const texts = new Set(before.map((one) => JSON.stringify(one)));
    const changed = after.filter((one) => !texts.has(JSON.stringify(one)));
    expect(changed.length).toBeGreaterThan(0);
    for (const { name } of changed) expect(name).toMatch(/^tandem-east-/);
  });

  describe('in a run of the program', () => {
    const [east, west] = EXAMPLE.regions;
    let runs = 0;
    /** Each run is a process of its own, to whom the program is new. */
    const run = async (
      versions: object | undefined,
      changes: object,
      leftAlone?: Parameters<typeof recordResources>[1],
    ): Promise<{
      readonly said: string | undefined;
      readonly asked: readonly object[];
      /** What the next run reads. */
      readonly versions: Promise<Readonly<Record<string, string>>>;
    }> => {
      const asked = await recordResources(versions === undefined ? {} : { versions }, leftAlone);
      runtime.setConfig('tandem:deployment', JSON.stringify({ ...EXAMPLE, ...changes }));
      runs += 1;
      const { said, written } = await import(`${import.meta.dirname}/main.ts?run=${runs}`).then(
        (outputs: { versions: Deployment['versions'] }) => ({
          said: undefined,
          written: outputs.versions,
        }),
        (error: Error) => ({ said: error.message, written: {} }),
      );
      return { said, asked, versions: valueOf(output(written)) };
    };
    const both = { east: '0.1.0', west: '0.1.0' };
    const upgraded = { ...CONTAINER_APPS, imageTag: '0.2.0' };

    it('refuses to upgrade two regions at once, before it asks for anything', async () => {
      expect(await run(both, upgraded)).toMatchObject({
        said: expect.stringContaining(
          'set imageTag 0.1.0 for east among deployment.regions, upgrade west, see that it works',
        ),
        asked: [],
      });
    });

    it('writes down what the apps of a region run, and not what a run with a target left alone', async () => {
      const first = await run(undefined, CONTAINER_APPS);
      expect(await first.versions).toEqual(both);
      const template = (image: string) => ({
        template: { containers: [{ image: `r.example/a:${image}` }] },
      });
      // As `--target "**-east-settings"` leaves it.
      const targeted = await run(
        both,
        { ...CONTAINER_APPS, regions: [{ ...east, imageTag: '0.2.0' }, west] },
        ({ type }) => (type.endsWith(':ContainerApp') ? template('0.1.0') : undefined),
      );
      expect(targeted.said).toBeUndefined();
      expect(await targeted.versions).toEqual(both);
      const half = await run(
        both,
        { ...CONTAINER_APPS, regions: [{ ...east, imageTag: '0.2.0' }, west] },
        ({ name }) => (name === 'tandem-east-replicator' ? template('0.1.0') : undefined),
      );
      expect(await half.versions).toEqual({ east: '0.2.0 and 0.1.0', west: '0.1.0' });
      expect((await run(await half.versions, upgraded)).said).toContain('upgrade west');
      expect(await (await run(undefined, { imageTag: '0.2.0' })).versions).toEqual({});
    });

    it.each([
      ['the first run', undefined, upgraded],
      ['one region', both, { ...upgraded, regions: [{ ...east, imageTag: '0.1.0' }, west] }],
      ['the second region', { ...both, west: '0.2.0' }, upgraded],
      ['a new region beside one that is upgraded', { west: '0.1.0' }, upgraded],
      ['the platform alone', both, { ...upgraded, containerApps: { stage: 'platform' } }],
      ['clusters, where each region has a release', both, { imageTag: '0.2.0' }],
    ])('goes on with %s', async (_, versions, changes) => {
      const { said, asked } = await run(versions, changes);
      expect(said).toBeUndefined();
      await expect.poll(() => asked.length).toBeGreaterThan(0);
    });
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
