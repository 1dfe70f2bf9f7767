import { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import { type Output, output } from '@pulumi/pulumi';
import {
  createActionGroup,
  createEndpointAlert,
  createRegionAlerts,
} from './alerts/build-alerts.ts';
import { createContainerApps } from './platform/container-apps.ts';
import { createCluster } from './platform/kubernetes.ts';
import { buildRegion, type Region } from './region/build-region.ts';
import { joinRegions } from './region/join-regions.ts';
import { createRegistry } from './registry.ts';
import type { DeploymentSettings } from './settings/deployment-settings.ts';
import { createTrafficManager } from './traffic/traffic-manager.ts';

export interface Deployment {
  /** What every release of helm/ shares: the file `values.regions.yaml`. */
  readonly helmValues: Output<object>;
  /** By region, what its overlay of k8s/ needs: the data of `region.yaml`. */
  readonly kustomizeValues: Output<Readonly<Record<string, object>>>;
  /** By region; empty without clusters. */
  readonly clusterNames: Output<Readonly<Record<string, string>>>;
  /** For the command line `tandem`: the file `tandem.regions.json`. */
  readonly inventory: Output<object>;
  /** The name that the public host is an alias of. */
  readonly trafficManagerHost: Output<string>;
  readonly registryServer: string;
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
  for (const region of regions) {
    if (settings.platform === 'container-apps') createContainerApps(region, regions, images);
    else clusterNames[region.context.region.name] = createCluster(region, images.registry).name;
  }
  const profile = createTrafficManager(settings, group);
  const actions = createActionGroup(settings, group);
  for (const region of regions) createRegionAlerts(region, actions);
  createEndpointAlert(settings, group, { profile, actions });
  return {
    helmValues: helmValuesOf(settings, regions, images.server),
    kustomizeValues: kustomizeValuesOf(regions, tenantId),
    clusterNames: output(clusterNames),
    inventory: inventoryOf(settings, regions),
    trafficManagerHost: output(`${settings.dnsLabel}.trafficmanager.net`),
    registryServer: images.server,
  };
}

function helmValuesOf(
  settings: DeploymentSettings,
  regions: readonly Region[],
  registry: string,
): Output<object> {
  const entries = regions.map(({ context, data, identities }) => ({
    name: context.region.name,
    host: context.region.host,
    storageAccountUrl: data.accountUrl,
    serviceBusNamespace: data.namespaceHost,
    clientIds: {
      customerApi: identities.customerApi.clientId,
      replicator: identities.replicator.clientId,
      scaler: identities.scaler.clientId,
    },
  }));
  const { publicHost, auth, queue, imageTag: tag } = settings;
  return output({
    global: { publicHost, auth, queue, image: { registry, tag }, regions: entries },
  });
}

function inventoryOf({ queue }: DeploymentSettings, regions: readonly Region[]): Output<object> {
  const entries = regions.map(({ context, data }) => ({
    name: context.region.name,
    storage: data.accountUrl,
    serviceBus: data.namespaceHost,
    queue,
    api: `https://${context.region.host}`,
  }));
  return output({ version: 1, regions: entries });
}

function kustomizeValuesOf(regions: readonly Region[], tenantId: Output<string>) {
  const entries = regions.map(({ context, data, identities }) => [
    context.region.name,
    { keyVault: data.vaultName, tenantId, secretsClientId: identities.secrets.clientId },
  ]);
  return output(Object.fromEntries(entries) as Record<string, object>);
}
