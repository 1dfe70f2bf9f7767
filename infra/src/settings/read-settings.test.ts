import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EXAMPLE } from '../testing/mock-deployment.ts';
import { failOverSecondsMax } from './find-probe-problems.ts';
import { readSettings } from './read-settings.ts';

const [east, west] = EXAMPLE.regions;

const TABLES = { publicHost: 'tables.example.com', dnsLabel: 'tandem-tables' };

const APPS = { platform: 'container-apps', containerApps: { stage: 'apps' } };
const OPERATED = { ...APPS, operators: true };
const CONSOLE = {
  issuer: 'https://login.example.com/v2.0',
  clientId: 'console',
  allowFrom: ['203.0.113.0/24'],
};
const CONSOLE_FOR = (...allowFrom: readonly string[]) => ({ ...CONSOLE, allowFrom });

function problemsOf(changes: object): readonly string[] {
  const reading = readSettings({ ...EXAMPLE, ...changes });
  return reading.ok ? [] : reading.problems;
}

describe('the settings of a stack', () => {
  it('are those of the example, which can be copied', () => {
    const text = readFileSync(new URL('../../Pulumi.example.yaml', import.meta.url), 'utf8');
    const { config } = parse(text) as { config: Record<string, unknown> };
    expect(config['tandem:deployment']).toEqual(EXAMPLE);
    expect(readSettings(config['tandem:deployment'])).toMatchObject({
      ok: true,
      settings: {
        queue: 'customer',
        serviceBusTier: 'Standard',
        probe: { intervalSeconds: 10, timeoutSeconds: 9, toleratedFailures: 3, dnsTtlSeconds: 10 },
      },
    });
  });

  it('may have a place for operators on both platforms, and on container apps its console', () => {
    expect(problemsOf({ operators: true, canary: {} })).toEqual([]);
    expect(problemsOf({ ...OPERATED, console: CONSOLE, canary: { everyMinutes: 30 } })).toEqual([]);
  });

  it('may name any number of regions', () => {
    const north = { name: 'north', location: 'swedencentral', host: 'north.customers.example.com' };
    expect(problemsOf({ regions: [east, west, north] })).toEqual([]);
  });

  it.each([
    [
      'a region twice',
      { regions: [east, { ...west, name: 'east' }] },
      'lists east twice: give each',
    ],
    [
      'one location',
      { regions: [east, { ...west, location: 'westeurope' }] },
      'lost together: put',
    ],
    ...['usgovvirginia', 'usdodeast', 'chinanorth3'].map((location): [string, object, string] => [
      `another cloud, ${location}`,
      { regions: [east, { ...west, location }] },
      `west is in ${location}, a cloud of its own`,
    ]),
    ['one host', { regions: [east, { ...west, host: east.host }] }, 'need names of their own'],
    ['no peer', { regions: [east] }, 'there is no peer: add another region'],
    ['a fast probe', { probe: { intervalSeconds: 5 } }, 'every 10 or every 30 seconds: set one'],
    ['a late time-out', { probe: { timeoutSeconds: 10 } }, 'allows 5 to 9: set one of these'],
    ['an early time-out', { probe: { timeoutSeconds: 4 } }, 'allows 5 to 9: set one of these'],
    ['many failures', { probe: { toleratedFailures: 10 } }, 'allows 0 to 9: set one of these'],
    ['a negative time', { probe: { dnsTtlSeconds: -1 } }, 'that is not negative'],
    ['a plain issuer', { auth: { issuer: 'http://x', audience: 'a' } }, 'deployment.auth.issuer'],
    ['a misspelt setting', { plattform: 'kubernetes' }, 'additional properties'],
    ['another platform', { platform: 'nomad' }, 'deployment.platform'],
    [
      'a project that no account can be named after',
      { project: 'My-Project' },
      'deployment.project',
    ],
    [
      'tables without a host in a region',
      { tables: TABLES },
      'east has no tableHost: deployment.tables needs one',
    ],
    [
      'a host for tables without tables',
      { regions: [{ ...east, tableHost: 'east.tables.example.com' }, west] },
      'east has a tableHost, but deployment.tables is not set',
    ],
    [
      'tables without a cluster',
      { tables: TABLES, platform: 'container-apps' },
      'set platform to kubernetes',
    ],
    [
      'one name for both',
      { tables: { ...TABLES, dnsLabel: EXAMPLE.dnsLabel } },
      'give the tables one of their own',
    ],
    [
      'one host for both',
      { tables: { ...TABLES, publicHost: EXAMPLE.publicHost } },
      'need names of their own',
    ],
    [
      'container apps of no stage',
      { platform: 'container-apps' },
      'deployment.containerApps is not set: begin with its stage platform',
    ],
    [
      'a stage of container apps for clusters',
      { containerApps: { stage: 'apps' } },
      'deployment.containerApps is set, but deployment.platform is kubernetes',
    ],
    [
      'a console of clusters, which the charts have',
      { operators: true, console: CONSOLE },
      'deployment.platform is kubernetes: remove it, and give operator.console to the charts',
    ],
    [
      'a console without a place to run in',
      { ...APPS, console: CONSOLE },
      'deployment.console is set, but deployment.operators is not',
    ],
    [
      'a canary without a place to run in',
      { canary: {} },
      'deployment.canary is set, but deployment.operators is not',
    ],
    [
      'a canary every second',
      { operators: true, canary: { everyMinutes: 0 } },
      'deployment.canary.everyMinutes',
    ],
    [
      'a collector of clusters, which the charts have',
      { otlp: { endpoint: 'http://collector.example.com:4318' } },
      'remove it, and give global.otlp to the charts',
    ],
    ['a collector by its host', { ...APPS, otlp: { endpoint: 'collector:4318' } }, 'otlp.endpoint'],
    [
      'a collector with a password in its address',
      { ...APPS, otlp: { endpoint: 'https://me:secret@collector.example.com' } },
      'otlp.endpoint',
    ],
    ['a console for everybody', { ...OPERATED, console: CONSOLE_FOR('0.0.0.0/0') }, 'allowFrom.0'],
    ['a console for no network', { ...OPERATED, console: CONSOLE_FOR('10.0.0.1') }, 'allowFrom.0'],
    [
      'a console for nobody',
      { ...OPERATED, console: CONSOLE_FOR() },
      'deployment.console.allowFrom',
    ],
    [
      'a console with a provider that anybody on the way could be',
      { ...OPERATED, console: { ...CONSOLE, issuer: 'http://login.example.com' } },
      'deployment.console.issuer',
    ],
    [
      'a console with the secret itself',
      { ...OPERATED, console: { ...CONSOLE, secret: 'a~secret_of.the.client' } },
      'deployment.console.secret',
    ],
    ['small clusters', { size: 'small' }, 'deployment.size small is of container apps'],
    [
      'an unknown stage',
      { platform: 'container-apps', containerApps: { stage: 'all' } },
      'deployment.containerApps.stage',
    ],
    [
      'more replicas at least than at most',
      { regions: [{ ...east, replicas: { replicator: { min: 3, max: 2 } } }, west] },
      'east has replicas.replicator.min (3) greater than max (2): swap them',
    ],
    [
      'no replica',
      { regions: [{ ...east, replicas: { customerApi: { min: 0, max: 2 } } }, west] },
      'deployment.regions.0.replicas.customerApi.min',
    ],
    [
      'a wire version that nobody reads',
      { regions: [{ ...east, wireVersion: 10 }, west] },
      'deployment.regions.0.wireVersion',
    ],
    [
      'a version of one region that no registry takes',
      { regions: [east, { ...west, imageTag: '1.0+7' }] },
      'deployment.regions.1.imageTag',
    ],
    [
      'experiments on a region that is none',
      { chaos: { region: 'north' } },
      'deployment.chaos.region is north, which deployment.regions does not list: name one of east, west',
    ],
    [
      'experiments on nodes that nobody has',
      {
        platform: 'container-apps',
        containerApps: { stage: 'apps' },
        chaos: { region: 'west', nodeScaleSet: 'aks-services-12345678-vmss' },
      },
      'deployment.chaos.nodeScaleSet is set, but deployment.platform is container-apps',
    ],
    [
      'experiments on the nodes that run the cluster itself',
      { chaos: { region: 'west', nodeScaleSet: 'aks-system-12345678-vmss' } },
      'deployment.chaos.nodeScaleSet',
    ],
    [
      'experiments without an end',
      { chaos: { region: 'west', minutes: 600 } },
      'deployment.chaos.minutes',
    ],
    ['experiments on no region', { chaos: {} }, 'deployment.chaos'],
    [
      'a webhook that anybody on the way could read',
      { alertReceivers: { webhooks: ['http://duty.example.com/tandem'] } },
      'deployment.alertReceivers.webhooks.0',
    ],
    [
      'a phone with its country in the number',
      { alertReceivers: { phones: [{ countryCode: '+49', number: '170' }] } },
      'deployment.alertReceivers.phones.0',
    ],
    [
      'more receivers than Azure takes',
      { alertReceivers: { emails: Array.from({ length: 10 }, (_, n) => `a${n}@example.com`) } },
      'deployment.alertReceivers.emails',
    ],
    ['no administrators', { operatorGroupId: 'everyone' }, 'deployment.operatorGroupId'],
  ])('are refused for %s', (_name, changes, sentence) => {
    expect(problemsOf(changes).join('\n')).toContain(sentence);
  });

  it('are refused with all problems at once', () => {
    const problems = problemsOf({ regions: [east, east], probe: { intervalSeconds: 1 } });
    expect(problems.length).toBeGreaterThanOrEqual(4);
  });

  it('fail over within a minute unless they say otherwise', () => {
    const reading = readSettings(EXAMPLE);
    expect(reading.ok && failOverSecondsMax(reading.settings.probe)).toBe(59);
  });
});
