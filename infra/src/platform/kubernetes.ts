import { PrincipalType, RoleAssignment } from '@pulumi/azure-native/authorization/index.js';
import type { Registry } from '@pulumi/azure-native/containerregistry/index.js';
import {
  AgentPoolMode,
  LoadBalancerSku,
  ManagedCluster,
  ManagedClusterSKUName,
  ManagedClusterSKUTier,
  NetworkDataplane,
  NetworkPlugin,
  NetworkPluginMode,
  NetworkPolicy,
  NodeOSUpgradeChannel,
  OSSKU,
  ResourceIdentityType,
  UpgradeChannel,
} from '@pulumi/azure-native/containerservice/index.js';
import {
  FederatedIdentityCredential,
  UserAssignedIdentity,
} from '@pulumi/azure-native/managedidentity/index.js';
import { grant } from '../access/grant.ts';
import { NETWORK_CONTRIBUTOR, roleDefinitionId } from '../access/roles.ts';
import type { Region } from '../region/build-region.ts';
import type { IdentityName } from '../region/identities.ts';
import { placeOf, prefixOf } from '../region/region-context.ts';
import { collectContainerLogs } from './collect-container-logs.ts';

/** Of the charts: the service accounts that act as an identity, by namespace and name. */
const ACCOUNTS: readonly (readonly [IdentityName, string])[] = [
  ['customerApi', 'tandem:customer-api'],
  ['tableEndpoint', 'tandem:table-endpoint'],
  ['replicator', 'tandem:replicator'],
  ['replicator', 'tandem:tandem-configuration-check'],
  ['secrets', 'tandem:customer-api'],
  ['secrets', 'tandem:table-endpoint'],
  ['secrets', 'tandem:replicator'],
  ['secrets', 'tandem:tandem-configuration-check'],
  ['scaler', 'kube-system:keda-operator'],
];
const TOKEN_AUDIENCE = 'api://AzureADTokenExchange';
const ZONES = ['1', '2', '3'];

/** The charts rely on their network policies being enforced. */
const NETWORK_PROFILE = {
  networkPlugin: NetworkPlugin.Azure,
  networkPluginMode: NetworkPluginMode.Overlay,
  networkDataplane: NetworkDataplane.Cilium,
  networkPolicy: NetworkPolicy.Cilium,
  loadBalancerSku: LoadBalancerSku.Standard,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.245.0.0/16',
  dnsServiceIP: '10.245.0.10',
};
const UPGRADES = {
  upgradeChannel: UpgradeChannel.Patch,
  nodeOSUpgradeChannel: NodeOSUpgradeChannel.NodeImage,
};

/** The region's cluster, whose pods act as the region's identities. */
export function createCluster(region: Region, registry: Registry): ManagedCluster {
  const cluster = createManagedCluster(region);
  const prefix = prefixOf(region.context);
  grant({
    name: `${prefix}-nodes-pull`,
    principalId: cluster.identityProfile.apply(
      (profile) => profile?.['kubeletidentity']?.objectId ?? '',
    ),
    role: 'acrPull',
    scope: registry.id,
  });
  trustServiceAccounts(region, cluster);
  collectContainerLogs(region, cluster);
  return cluster;
}

function createManagedCluster(region: Region): ManagedCluster {
  const { context, network, logs } = region;
  const prefix = prefixOf(context);
  const identity = new UserAssignedIdentity(`${prefix}-cluster`, placeOf(context));
  const joined = new RoleAssignment(`${prefix}-cluster-joins-network`, {
    principalId: identity.principalId,
    principalType: PrincipalType.ServicePrincipal,
    roleDefinitionId: roleDefinitionId(NETWORK_CONTRIBUTOR),
    scope: network.workloads.id,
  });
  return new ManagedCluster(
    `${prefix}-cluster`,
    {
      ...placeOf(context),
      dnsPrefix: prefix,
      sku: { name: ManagedClusterSKUName.Base, tier: ManagedClusterSKUTier.Standard },
      identity: {
        type: ResourceIdentityType.UserAssigned,
        userAssignedIdentities: [identity.id],
      },
      // Only members of the group get in, each by name.
      disableLocalAccounts: true,
      enableRBAC: true,
      aadProfile: {
        managed: true,
        enableAzureRBAC: true,
        adminGroupObjectIDs: [context.settings.operatorGroupId],
      },
      oidcIssuerProfile: { enabled: true },
      securityProfile: { workloadIdentity: { enabled: true } },
      workloadAutoScalerProfile: { keda: { enabled: true } },
      ingressProfile: { webAppRouting: { enabled: true } },
      addonProfiles: {
        azureKeyvaultSecretsProvider: { enabled: true, config: { enableSecretRotation: 'true' } },
        azurepolicy: { enabled: true },
        omsagent: {
          enabled: true,
          config: { logAnalyticsWorkspaceResourceID: logs.id, useAADAuth: 'true' },
        },
      },
      networkProfile: NETWORK_PROFILE,
      autoUpgradeProfile: UPGRADES,
      agentPoolProfiles: [
        {
          name: 'system',
          mode: AgentPoolMode.System,
          osSKU: OSSKU.AzureLinux,
          vmSize: 'Standard_D4s_v5',
          availabilityZones: ZONES,
          enableAutoScaling: true,
          // One in each zone; together they carry every replica that the quota allows.
          minCount: 3,
          maxCount: 6,
          vnetSubnetID: network.workloads.id,
        },
      ],
    },
    { dependsOn: [joined] },
  );
}

function trustServiceAccounts(region: Region, cluster: ManagedCluster): void {
  const { context, identities } = region;
  const issuer = cluster.oidcIssuerProfile.apply((profile) => profile?.issuerURL ?? '');
  const last = new Map<IdentityName, FederatedIdentityCredential>();
  for (const [name, account] of ACCOUNTS) {
    const before = last.get(name);
    const credential = new FederatedIdentityCredential(
      `${prefixOf(context)}-${name}-${account.replace(':', '-')}`,
      {
        resourceGroupName: context.group.name,
        resourceName: identities[name].name,
        issuer,
        subject: `system:serviceaccount:${account}`,
        audiences: [TOKEN_AUDIENCE],
      },
      // Azure changes the credentials of one identity one at a time.
      before === undefined ? {} : { dependsOn: [before] },
    );
    last.set(name, credential);
  }
}
