import { Value } from 'typebox/value';
import { DeploymentSettings } from './deployment-settings.ts';
import { findProbeProblems } from './find-probe-problems.ts';

export type SettingsReading =
  | { readonly ok: true; readonly settings: DeploymentSettings }
  /** One sentence for each problem. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Pure; finds all problems at once. `value` is what a stack's file holds. */
export function readSettings(value: unknown): SettingsReading {
  const filled = Value.Default(DeploymentSettings, structuredClone(value));
  const problems = Value.Errors(DeploymentSettings, filled).map(
    ({ instancePath, message }) => `deployment${instancePath.replaceAll('/', '.')} ${message}.`,
  );
  if (problems.length > 0) return { ok: false, problems };
  const settings = filled as DeploymentSettings;
  const contradictions = [
    ...findRegionProblems(settings),
    ...findTableProblems(settings),
    ...findPlatformProblems(settings),
    ...findOperatorProblems(settings),
    ...findProbeProblems(settings.probe),
    ...findChaosProblems(settings),
  ];
  return contradictions.length > 0
    ? { ok: false, problems: contradictions }
    : { ok: true, settings };
}

function findTableProblems({ tables, platform, regions, dnsLabel }: DeploymentSettings): string[] {
  if (tables === undefined) {
    return regions
      .filter(({ tableHost }) => tableHost !== undefined)
      .map(
        ({ name }) =>
          `deployment.regions: ${name} has a tableHost, but deployment.tables is not set.`,
      );
  }
  const problems = regions
    .filter(({ tableHost }) => tableHost === undefined)
    .map(
      ({ name }) => `deployment.regions: ${name} has no tableHost: deployment.tables needs one.`,
    );
  if (platform !== 'kubernetes') {
    problems.push(
      'deployment.tables is set, and the Table endpoint is deployed by the charts alone: set platform to kubernetes.',
    );
  }
  if (tables.dnsLabel === dnsLabel) {
    problems.push(
      `deployment has the dnsLabel ${dnsLabel} twice: give the tables one of their own.`,
    );
  }
  return problems;
}

function findChaosProblems({ chaos, regions, platform }: DeploymentSettings): string[] {
  if (chaos === undefined) return [];
  const problems: string[] = [];
  const names = regions.map(({ name }) => name);
  if (!names.includes(chaos.region)) {
    problems.push(
      `deployment.chaos.region is ${chaos.region}, which deployment.regions does not list: name one of ${names.join(', ')}.`,
    );
  }
  if (platform !== 'kubernetes' && chaos.nodeScaleSet !== undefined) {
    problems.push(
      'deployment.chaos.nodeScaleSet is set, but deployment.platform is container-apps, which has no nodes of yours: remove it.',
    );
  }
  return problems;
}

function findPlatformProblems({
  platform,
  containerApps,
  size,
  regions,
  otlp,
}: DeploymentSettings): string[] {
  const problems: string[] = [];
  const isContainerApps = platform === 'container-apps';
  if (!isContainerApps && otlp !== undefined) {
    problems.push(
      'deployment.otlp is set, but deployment.platform is kubernetes: remove it, and give global.otlp to the charts.',
    );
  }
  if (isContainerApps && containerApps === undefined) {
    problems.push(
      'deployment.platform is container-apps, but deployment.containerApps is not set: begin with its stage platform, push the images, go on with apps, and when the printed dnsRecords are in the DNS with domains.',
    );
  }
  if (!isContainerApps && containerApps !== undefined) {
    problems.push(
      'deployment.containerApps is set, but deployment.platform is kubernetes: remove the one or change the other.',
    );
  }
  if (!isContainerApps && size === 'small') {
    problems.push(
      'deployment.size small is of container apps: set platform to container-apps, or give the charts the profile trial.',
    );
  }
  for (const { name, replicas = {} } of regions) {
    for (const [service, { min, max }] of Object.entries(replicas)) {
      if (min > max) {
        problems.push(
          `deployment.regions: ${name} has replicas.${service}.min (${min}) greater than max (${max}): swap them.`,
        );
      }
    }
  }
  return problems;
}

function findOperatorProblems({
  platform,
  operators,
  console,
  canary,
}: DeploymentSettings): string[] {
  const problems: string[] = [];
  if (console !== undefined && platform === 'kubernetes') {
    problems.push(
      'deployment.console is set, but deployment.platform is kubernetes: remove it, and give operator.console to the charts.',
    );
  }
  for (const [name, value] of Object.entries({ console, canary })) {
    if (value === undefined || operators) continue;
    problems.push(
      `deployment.${name} is set, but deployment.operators is not, whose place it runs in: set it to true, or remove ${name}.`,
    );
  }
  return problems;
}

/** Hosts, zones of private names and logins end otherwise in the clouds of governments and of China. */
const OTHER_CLOUDS = /^(?:usgov|usdod|china|ussec|usnat)/;

function findRegionProblems({ regions, publicHost, tables }: DeploymentSettings): string[] {
  const problems = [
    ...repeated(regions.map(({ name }) => name)).map(
      (name) => `deployment.regions lists ${name} twice: give each region a name of its own.`,
    ),
    ...repeated(regions.map(({ location }) => location)).map(
      (location) =>
        `deployment.regions has two regions in ${location}, which are lost together: put each into a location of its own.`,
    ),
    ...repeated(
      [
        publicHost,
        tables?.publicHost,
        ...regions.flatMap((one) => [one.host, one.tableHost]),
      ].filter((host) => host !== undefined),
    ).map(
      (host) =>
        `deployment has ${host} twice: the public host and each region need names of their own.`,
    ),
  ];
  for (const { name, location } of regions) {
    if (!OTHER_CLOUDS.test(location)) continue;
    problems.push(
      `deployment.regions: ${name} is in ${location}, a cloud of its own: what is built here has the names of the public cloud. ` +
        'Make accounts, namespaces and identities there yourself; the charts take them as they are.',
    );
  }
  if (regions.length === 1) {
    problems.push('deployment.regions lists one region, so there is no peer: add another region.');
  }
  return problems;
}

function repeated(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text, index) => texts.indexOf(text) < index))];
}
