import {
  PublicNetworkAccess,
  Registry,
  Replication,
  SkuName,
  ZoneRedundancy,
} from '@pulumi/azure-native/containerregistry/index.js';
import type { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import type { DeploymentSettings } from './settings/deployment-settings.ts';

export interface ImageRegistry {
  readonly registry: Registry;
  readonly server: string;
}

/** One registry with a copy in every region: a region starts pods while another is lost. */
export function createRegistry(settings: DeploymentSettings, group: ResourceGroup): ImageRegistry {
  const [first, ...others] = settings.regions;
  if (first === undefined) throw new Error('A deployment has at least one region.');
  const isSmall = settings.size === 'small';
  const registryName = `${settings.project}images`;
  const registry = new Registry(`${settings.project}-registry`, {
    resourceGroupName: group.name,
    registryName,
    location: first.location,
    sku: { name: isSmall ? SkuName.Basic : SkuName.Premium },
    adminUserEnabled: false,
    anonymousPullEnabled: false,
    zoneRedundancy: isSmall ? ZoneRedundancy.Disabled : ZoneRedundancy.Enabled,
    // Images are pushed from outside; pulling and pushing both need an identity.
    publicNetworkAccess: PublicNetworkAccess.Enabled,
  });
  // Copies are of the highest tier alone; a small stack pulls from the other region, or waits until that is back.
  for (const { name, location } of isSmall ? [] : others) {
    new Replication(`${settings.project}-registry-${name}`, {
      resourceGroupName: group.name,
      registryName: registry.name,
      replicationName: location,
      location,
      zoneRedundancy: ZoneRedundancy.Enabled,
    });
  }
  return { registry, server: `${registryName}.azurecr.io` };
}
