import { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import { type Output, output } from '@pulumi/pulumi';
import {
  createActionGroup,
  createEndpointAlert,
  createRegionAlerts,
} from './alerts/build-alerts.ts';
import { createHealthScores } from './alerts/health-score.ts';
import { createOutsideTests } from './alerts/outside-tests.ts';
import { createExperiments } from './chaos/experiments.ts';
import { createContainerApps, type DnsRecord } from './platform/container-apps.ts';
import { createCluster } from './platform/kubernetes.ts';
import { inventoryOf } from './platform/service-environment.ts';
import { buildRegion, type Region } from './region/build-region.ts';
import { joinRegions } from './region/join-regions.ts';
import { imageTagOf, type RegionContext } from './region/region-context.ts';
import { createRegistry } from './registry.ts';
import {
  canarySchedule,
  type DeploymentSettings,
  type Replicas,
} from './settings/deployment-settings.ts';
import { createTrafficManager } from './traffic/traffic-manager.ts';

export interface Deployment {
  /** What every release of helm/ shares: the file `values.regions.yaml`. */
  readonly helmValues: Output<object>;
  /** By region, what only its release needs, its version among it: the file `values.<region>.yaml`. */
  readonly helmRegionValues: Readonly<Record<string, object>>;
  /** What the zones of the hosts need before container apps are bound to them; empty with clusters. */
  readonly dnsRecords: Output<readonly object[]>;
  /** By region, what its overlay of k8s/ needs: the data of `region.yaml`. */
  readonly kustomizeValues: Output<Readonly<Record<string, object>>>;
  /** By region; empty without clusters. */
  readonly clusterNames: Output<Readonly<Record<string, string>>>;
  /** For the command line `tandem`: the file `tandem.regions.json`. */
  readonly inventory: Output<object>;
  /** The name that the public host is an alias of. */
  readonly trafficManagerHost: Output<string>;
  /** The same of the host for clients of Table Storage; undefined where there is none. */
  readonly tableTrafficManagerHost: Output<string> | undefined;
  readonly registryServer: string;
  /** By region, what its container apps run after this run; empty with clusters, where each region has a release of its own. */
  readonly versions: Readonly<Record<string, Output<string>>>;
}

/** All resources of all regions. Must be called once in a program. */
export function buildDeployment(
  settings: DeploymentSettings,
  tenantId: Output<string>,
): Deployment {
  const group = new ResourceGroup(`${settings.project}-shared`, {
    location: settings.regions[0]?.location ?? 'global',
    tags: { product: settings.project },
  });
  const images = createRegistry(settings, group);
  const regions = settings.regions.map((region, index) =>
    buildRegion({ settings, region, index, tenantId }),
  );
  joinRegions(regions);
  const clusterNames: Record<string, Output<string>> = {};
  const records: DnsRecord[] = [];
  const versions: Record<string, Output<string>> = {};
  for (const region of regions) {
    if (settings.platform === 'container-apps') {
      const apps = createContainerApps(region, regions, images);
      records.push(...apps.records);
      if (apps.version !== undefined) versions[region.context.region.name] = apps.version;
      createExperiments(region);
    } else {
      const cluster = createCluster(region, images.registry);
      clusterNames[region.context.region.name] = cluster.name;
      createExperiments(region, cluster);
    }
  }
  const profile = createTrafficManager(settings, group, {
    name: `${settings.project}-traffic`,
    dnsLabel: settings.dnsLabel,
    targets: settings.regions,
  });
  const tableProfile = createTableTraffic(settings, group);
  const actions = createActionGroup(settings, group);
  for (const region of regions) createRegionAlerts(region, actions);
  createHealthScores(regions);
  createOutsideTests(settings, group, { regions, actions });
  createEndpointAlert(settings, group, { name: 'endpoint-degraded', profile, actions });
  if (tableProfile !== undefined) {
    const alert = { name: 'table-endpoint-degraded', profile: tableProfile, actions };
    createEndpointAlert(settings, group, alert);
  }
  return {
    helmValues: helmValuesOf(settings, regions, images.server),
    helmRegionValues: Object.fromEntries(
      regions.map(({ context }) => [context.region.name, regionValuesOf(context)]),
    ),
    dnsRecords: output(uniqueByName(records)),
    kustomizeValues: kustomizeValuesOf(regions, tenantId),
    clusterNames: output(clusterNames),
    inventory: output(inventoryOf(regions)),
    trafficManagerHost: output(`${settings.dnsLabel}.trafficmanager.net`),
    tableTrafficManagerHost:
      settings.tables && output(`${settings.tables.dnsLabel}.trafficmanager.net`),
    registryServer: images.server,
    versions,
  };
}

/** Of the Table endpoints; undefined where there are none. */
function createTableTraffic(settings: DeploymentSettings, group: ResourceGroup) {
  const { tables, project } = settings;
  if (tables === undefined) return undefined;
  const targets = settings.regions.map(({ name, host, tableHost }) => ({
    name,
    // Settings without one are refused.
    host: tableHost ?? host,
  }));
  const { dnsLabel } = tables;
  return createTrafficManager(settings, group, {
    name: `${project}-table-traffic`,
    dnsLabel,
    targets,
  });
}

function helmValuesOf(
  settings: DeploymentSettings,
  regions: readonly Region[],
  registry: string,
): Output<object> {
  const entries = regions.map(({ context, data, identities }) => ({
    name: context.region.name,
    host: context.region.host,
    ...(context.region.tableHost !== undefined && { tableHost: context.region.tableHost }),
    storageAccountUrl: data.accountUrl,
    serviceBusNamespace: data.namespaceHost,
    clientIds: {
      customerApi: identities.customerApi.clientId,
      replicator: identities.replicator.clientId,
      scaler: identities.scaler.clientId,
      tableEndpoint: identities.tableEndpoint.clientId,
      ...(identities.operator && { operator: identities.operator.clientId }),
      ...(identities.viewer && { viewer: identities.viewer.clientId }),
    },
  }));
  const { publicHost, auth, queue, imageTag: tag, tables } = settings;
  const names = { publicHost, ...(tables && { publicTableHost: tables.publicHost }) };
  return output({
    global: { ...names, auth, queue, image: { registry, tag }, regions: entries },
  });
}

/** Of one release: what differs from region to region, so that one is upgraded or scaled, and no other. */
function regionValuesOf({ settings, region }: RegionContext): object {
  const { customerApi, replicator } = region.replicas ?? {};
  const { logLevel, wireVersion } = region;
  const own = (replicas: Replicas | undefined): object => ({
    ...(replicas && { replicas }),
    ...(logLevel && { logLevel }),
  });
  return {
    global: {
      region: region.name,
      image: { tag: imageTagOf({ settings, region }) },
      ...(wireVersion !== undefined && { settings: { 'Messages.WireVersion': wireVersion } }),
    },
    'customer-api': own(customerApi),
    replicator: own(replicator),
    ...(settings.tables && { 'table-endpoint': own(undefined) }),
    ...(settings.canary && { operator: { canarySchedule: canarySchedule(settings.canary) } }),
  };
}

/** Every region asks for the proof of the public host. */
function uniqueByName(records: readonly DnsRecord[]): readonly DnsRecord[] {
  return [...new Map(records.map((record) => [record.name, record])).values()];
}

function kustomizeValuesOf(regions: readonly Region[], tenantId: Output<string>) {
  const entries = regions.map(({ context, data, identities }) => [
    context.region.name,
    { keyVault: data.vaultName, tenantId, secretsClientId: identities.secrets.clientId },
  ]);
  return output(Object.fromEntries(entries) as Record<string, object>);
}
