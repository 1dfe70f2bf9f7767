import type { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import type { Output } from '@pulumi/pulumi';
import type { DeploymentSettings, RegionSettings } from '../settings/deployment-settings.ts';

/** What everything in a region is made with. */
export interface RegionContext {
  readonly settings: DeploymentSettings;
  readonly region: RegionSettings;
  /** The region's place in the list of priorities, from 0. */
  readonly index: number;
  readonly group: ResourceGroup;
  readonly tenantId: Output<string>;
}

/** `tandem-east`; also the beginning of every name in the region. */
export function prefixOf({ settings, region }: Pick<RegionContext, 'settings' | 'region'>): string {
  return `${settings.project}-${region.name}`;
}

/** Returns the version that the region runs. */
export function imageTagOf({
  settings,
  region,
}: Pick<RegionContext, 'settings' | 'region'>): string {
  return region.imageTag ?? settings.imageTag;
}

/** Where and for whom, for the arguments of a resource. */
export function placeOf({ group, region, settings }: RegionContext) {
  return {
    resourceGroupName: group.name,
    location: region.location,
    tags: { product: settings.project, region: region.name },
  };
}
