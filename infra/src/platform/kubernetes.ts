import { PrincipalType, RoleAssignment } from '@pulumi/azure-native/authorization/index.js';
import type { Registry } from '@pulumi/azure-native/containerregistry/index.js';
import {
  AgentPool,
  AgentPoolMode,
  LoadBalancerSku,
  MaintenanceConfiguration,
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
  WeekDay,
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
  ['operator', 'tandem:operator-operate'],
  ['viewer', 'tandem:operator-view'],
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
/** In which regions are upgraded, the last priority first, so that no two have the same time of a week. */
const DAYS = [
  WeekDay.Monday,
  WeekDay.Tuesday,
  WeekDay.Wednesday,
  WeekDay.Thursday,
  WeekDay.Friday,
  WeekDay.Saturday,
  WeekDay.Sunday,
] as const;
const FIRST_HOUR = 4;
/** The least that Azure takes. */
const WINDOW_HOURS = 4;
/** Of Azure, by name: the cluster's own version, and the images of its nodes. */
const SCHEDULES = ['aksManagedAutoUpgradeSchedule', 'aksManagedNodeOSUpgradeSchedule'] as const;
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
  createServicePool(region, cluster);
  staggerUpgrades(region, cluster);
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
          vmSize: 'Standard_D2s_v5',
          availabilityZones: ZONES,
          enableAutoScaling: true,
          // One in each zone, for what the cluster itself runs, which must not starve beside the services.
          minCount: 3,
          maxCount: 6,
          nodeTaints: ['CriticalAddonsOnly=true:NoSchedule'],
          vnetSubnetID: network.workloads.id,
        },
      ],
    },
    { dependsOn: [joined] },
  );
}

function createServicePool({ context, network }: Region, cluster: ManagedCluster): void {
  new AgentPool(`${prefixOf(context)}-services`, {
    resourceGroupName: context.group.name,
    resourceName: cluster.name,
    agentPoolName: 'services',
    mode: AgentPoolMode.User,
    osSKU: OSSKU.AzureLinux,
    vmSize: 'Standard_D4s_v5',
    availabilityZones: ZONES,
    enableAutoScaling: true,
    // One in each zone; together they carry every replica that the quota allows.
    minCount: 3,
    maxCount: 6,
    vnetSubnetID: network.workloads.id,
    // A new node comes before an old one goes, so that no replica waits for room.
    upgradeSettings: { maxSurge: '1' },
  });
}

/** Returns the time of the week in which Azure may upgrade a region, by its place among them, from 0: another one for each of 35. */
export function upgradeTimeOf(place: number): { dayOfWeek: WeekDay; startTime: string } {
  const dayOfWeek = DAYS[place % DAYS.length] ?? WeekDay.Monday;
  const hour = FIRST_HOUR + WINDOW_HOURS * Math.floor(place / DAYS.length);
  return { dayOfWeek, startTime: `${String(hour).padStart(2, '0')}:00` };
}

function staggerUpgrades({ context }: Region, cluster: ManagedCluster): void {
  // The last priority first: clients are elsewhere.
  const { dayOfWeek, startTime } = upgradeTimeOf(
    context.settings.regions.length - 1 - context.index,
  );
  for (const configName of SCHEDULES) {
    new MaintenanceConfiguration(`${prefixOf(context)}-${configName}`, {
      resourceGroupName: context.group.name,
      resourceName: cluster.name,
      configName,
      maintenanceWindow: {
        durationHours: WINDOW_HOURS,
        startTime,
        utcOffset: '+00:00',
        schedule: { weekly: { dayOfWeek, intervalWeeks: 1 } },
      },
    });
  }
}

function trustServiceAccounts(region: Region, cluster: ManagedCluster): void {
  const { context, identities } = region;
  const issuer = cluster.oidcIssuerProfile.apply((profile) => profile?.issuerURL ?? '');
  const last = new Map<IdentityName, FederatedIdentityCredential>();
  for (const [name, account] of ACCOUNTS) {
    const identity = identities[name];
    if (identity === undefined) continue;
    const before = last.get(name);
    const credential = new FederatedIdentityCredential(
      `${prefixOf(context)}-${name}-${account.replace(':', '-')}`,
      {
        resourceGroupName: context.group.name,
        resourceName: identity.name,
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
