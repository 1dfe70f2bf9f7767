import {
  NetworkSecurityGroup,
  PrivateDnsZoneGroup,
  PrivateEndpoint,
  Subnet,
  VirtualNetwork,
  VirtualNetworkPrivateEndpointNetworkPolicies,
} from '@pulumi/azure-native/network/index.js';
import { PrivateZone, VirtualNetworkLink } from '@pulumi/azure-native/privatedns/index.js';
import type { Input } from '@pulumi/pulumi';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

export interface RegionNetwork {
  readonly network: VirtualNetwork;
  /** Of the nodes, or of the container apps. */
  readonly workloads: Subnet;
  readonly endpoints: Subnet;
  /** The addresses of both. */
  readonly workloadsPrefix: string;
  readonly endpointsPrefix: string;
  /** On the workloads of a region that experiments are made on; without a rule of its own. */
  readonly firewall: NetworkSecurityGroup | undefined;
}

/** The services that are reached by private addresses, with the zone that resolves their names. */
const ZONES = {
  table: 'privatelink.table.core.windows.net',
  namespace: 'privatelink.servicebus.windows.net',
  vault: 'privatelink.vaultcore.azure.net',
} as const;

type PrivateService = keyof typeof ZONES;

/** Regions do not overlap, so that their networks can be joined one day. */
export function createNetwork(context: RegionContext): RegionNetwork {
  const { settings, index, group } = context;
  const prefix = prefixOf(context);
  const network = new VirtualNetwork(`${prefix}-network`, {
    ...placeOf(context),
    addressSpace: { addressPrefixes: [`10.${index + 1}.0.0/16`] },
  });
  const common = { resourceGroupName: group.name, virtualNetworkName: network.name };
  const isDelegated = settings.platform === 'container-apps';
  const delegation = { name: 'container-apps', serviceName: 'Microsoft.App/environments' };
  const workloadsPrefix = `10.${index + 1}.0.0/20`;
  const endpointsPrefix = `10.${index + 1}.16.0/24`;
  const firewall =
    settings.chaos?.region === context.region.name
      ? new NetworkSecurityGroup(`${prefix}-firewall`, placeOf(context))
      : undefined;
  const workloads = new Subnet(`${prefix}-workloads`, {
    ...common,
    addressPrefix: workloadsPrefix,
    ...(firewall && { networkSecurityGroup: { id: firewall.id } }),
    ...(isDelegated ? { delegations: [delegation] } : {}),
  });
  const endpoints = new Subnet(
    `${prefix}-endpoints`,
    {
      ...common,
      addressPrefix: endpointsPrefix,
      privateEndpointNetworkPolicies: VirtualNetworkPrivateEndpointNetworkPolicies.Enabled,
    },
    // Azure changes one subnet of a network at a time.
    { dependsOn: [workloads] },
  );
  return { network, workloads, endpoints, workloadsPrefix, endpointsPrefix, firewall };
}

export interface PrivateLink {
  readonly name: string;
  readonly service: PrivateService;
  readonly resourceIds: Readonly<Record<string, Input<string>>>;
}

/** Private addresses in this region's network for resources of one service, and their names. */
export function linkPrivately(
  context: RegionContext,
  { network, endpoints }: RegionNetwork,
  { name, service, resourceIds }: PrivateLink,
): void {
  const prefix = `${prefixOf(context)}-${name}`;
  const { resourceGroupName, location, tags } = placeOf(context);
  const zone = new PrivateZone(`${prefix}-zone`, {
    resourceGroupName,
    location: 'global',
    privateZoneName: ZONES[service],
    tags,
  });
  new VirtualNetworkLink(`${prefix}-zone-link`, {
    resourceGroupName,
    location: 'global',
    privateZoneName: zone.name,
    registrationEnabled: false,
    virtualNetwork: { id: network.id },
  });
  for (const [target, resourceId] of Object.entries(resourceIds)) {
    const endpoint = new PrivateEndpoint(`${prefix}-${target}`, {
      resourceGroupName,
      location,
      tags,
      subnet: { id: endpoints.id },
      privateLinkServiceConnections: [
        { name: `${name}-${target}`, privateLinkServiceId: resourceId, groupIds: [service] },
      ],
    });
    new PrivateDnsZoneGroup(`${prefix}-${target}-names`, {
      resourceGroupName,
      privateEndpointName: endpoint.name,
      privateDnsZoneConfigs: [{ name: service, privateDnsZoneId: zone.id }],
    });
  }
}
