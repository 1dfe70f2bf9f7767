// What the program asks Azure for, by Pulumi's mocks: the properties that must hold whatever else
// changes, for both platforms, both tiers, and more than two regions. What concerns one part only is tested beside it.
import { beforeAll, describe, expect, it } from 'vitest';
import { DATA_ROLES, NETWORK_CONTRIBUTOR } from './access/roles.ts';
import { buildExample } from './testing/build-example.ts';
import { type AskedResource, EXAMPLE, TENANT_ID } from './testing/mock-deployment.ts';
import { settingsOf, TABLES, VARIANTS } from './testing/variants.ts';

const ROLE_NAMES = new Map<string, string>(
  Object.entries(DATA_ROLES).map(([name, id]) => [id, name]),
);

describe.each(VARIANTS)('a deployment: $variant', ({ changes }) => {
  const { platform, serviceBusTier, regions } = settingsOf(changes);
  const hasOperators = 'operators' in changes;
  const hasConsole = 'console' in changes;
  let asked: readonly AskedResource[] = [];
  beforeAll(async () => {
    ({ asked } = await buildExample(changes));
  });

  const all = (type: string) => asked.filter((one) => one.type === `azure-native:${type}`);
  const inputsOf = (type: string) => all(type).map(({ inputs }) => inputs);

  it('has everything in each region', () => {
    for (const type of [
      'storage:StorageAccount',
      'servicebus:Namespace',
      'servicebus:Queue',
      'keyvault:Vault',
      'operationalinsights:Workspace',
      'network:VirtualNetwork',
    ]) {
      expect(all(type)).toHaveLength(regions.length);
    }
    const isCluster = platform === 'kubernetes';
    expect(all('containerservice:ManagedCluster')).toHaveLength(isCluster ? regions.length : 0);
    const apps = hasConsole ? 3 : 2;
    expect(all('app:ContainerApp')).toHaveLength(isCluster ? 0 : apps * regions.length);
  });

  it('keeps data in accounts that are zone-redundant, private and without keys', () => {
    for (const inputs of inputsOf('storage:StorageAccount')) {
      expect(inputs).toMatchObject({
        kind: 'StorageV2',
        sku: { name: 'Standard_ZRS' },
        allowSharedKeyAccess: false,
        allowBlobPublicAccess: false,
        allowCrossTenantReplication: false,
        isLocalUserEnabled: false,
        publicNetworkAccess: 'Disabled',
        networkRuleSet: { defaultAction: 'Deny', bypass: 'None' },
        minimumTlsVersion: 'TLS1_2',
        enableHttpsTrafficOnly: true,
      });
    }
  });

  it('opens namespaces to identities only, and not to the public where the tier allows it', () => {
    for (const inputs of inputsOf('servicebus:Namespace')) {
      expect(inputs).toMatchObject({
        disableLocalAuth: true,
        minimumTlsVersion: '1.2',
        sku: { name: serviceBusTier, tier: serviceBusTier },
        publicNetworkAccess: serviceBusTier === 'Premium' ? 'Disabled' : 'Enabled',
      });
    }
    for (const inputs of inputsOf('servicebus:Queue')) {
      expect(inputs).toMatchObject({
        queueName: 'customer',
        lockDuration: 'PT1M',
        maxDeliveryCount: 2_000,
        deadLetteringOnMessageExpiration: true,
        defaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
        requiresSession: false,
        enablePartitioning: false,
      });
    }
  });

  it('keeps secrets in vaults that are private, by role, and cannot be purged', () => {
    for (const { properties } of inputsOf('keyvault:Vault')) {
      expect(properties).toMatchObject({
        tenantId: TENANT_ID,
        enableRbacAuthorization: true,
        enablePurgeProtection: true,
        publicNetworkAccess: 'Disabled',
        networkAcls: {
          defaultAction: 'Deny',
          bypass: platform === 'kubernetes' ? 'None' : 'AzureServices',
        },
      });
    }
  });

  it('reaches what is private from the region alone, and namespaces from every region', () => {
    const namespaces = serviceBusTier === 'Premium' ? regions.length : 0;
    const perRegion = 2 + namespaces + (hasOperators ? regions.length - 1 : 0);
    // Two of one name in one network would hide each other's addresses.
    const zones = inputsOf('privatedns:PrivateZone').map(({ resourceGroupName, privateZoneName }) =>
      JSON.stringify([resourceGroupName, privateZoneName]),
    );
    expect(new Set(zones).size).toBe(zones.length);
    expect(all('network:PrivateEndpoint')).toHaveLength(perRegion * regions.length);
    expect(all('network:PrivateDnsZoneGroup')).toHaveLength(perRegion * regions.length);
    const prefixes = inputsOf('network:VirtualNetwork').map(({ addressSpace }) =>
      JSON.stringify(addressSpace),
    );
    expect(new Set(prefixes).size).toBe(regions.length);
  });

  it('gives the services roles of the data plane, each on one resource, and no others', () => {
    const given = inputsOf('authorization:RoleAssignment')
      .filter(({ roleDefinitionId }) => !String(roleDefinitionId).endsWith(NETWORK_CONTRIBUTOR))
      .map(({ principalId, roleDefinitionId, scope, principalType }) => {
        expect(principalType).toBe('ServicePrincipal');
        const role = ROLE_NAMES.get(String(roleDefinitionId).split('/').at(-1) ?? '');
        const resource = String(scope).split('/').at(-1);
        return `${String(principalId).replace('principal of ', '')}: ${role} on ${resource}`;
      });
    const expected = regions.flatMap(({ name }) => {
      const own = `tandem-${name}`;
      const pulling = [`${own}-customerApi`, `${own}-replicator`];
      const senders = [...pulling, `${own}-tableEndpoint`];
      const peers = regions.filter((peer) => peer.name !== name);
      const operating = hasOperators ? [`${own}-operator`, `${own}-viewer`] : [];
      const isCluster = platform === 'kubernetes';
      const pullers = isCluster ? [`nodes of ${own}-cluster`] : [...pulling, ...operating];
      return [
        ...senders.map((who) => `${who}: storageTableDataContributor on ${own}-account`),
        `${own}-replicator: serviceBusDataReceiver on ${own}-queue`,
        `${own}-scaler: serviceBusDataOwner on ${own}-queue`,
        `${own}-secrets: keyVaultSecretsUser on ${own}-vault`,
        ...pullers.map((who) => `${who}: acrPull on tandem-registry`),
        ...(hasOperators ? regions : []).flatMap((region) => [
          `${own}-operator: storageTableDataContributor on tandem-${region.name}-account`,
          `${own}-operator: serviceBusDataOwner on tandem-${region.name}-queue`,
          `${own}-viewer: storageTableDataReader on tandem-${region.name}-account`,
        ]),
        ...peers.flatMap((peer) =>
          senders.map((who) => `${who}: serviceBusDataSender on tandem-${peer.name}-queue`),
        ),
      ];
    });
    expect(given.sort()).toEqual(expected.sort());
  });

  it('lets a cluster itself do no more than join its subnet', () => {
    const joining = inputsOf('authorization:RoleAssignment').filter(({ roleDefinitionId }) =>
      String(roleDefinitionId).endsWith(NETWORK_CONTRIBUTOR),
    );
    expect(joining).toHaveLength(platform === 'kubernetes' ? regions.length : 0);
    for (const { principalId, scope } of joining) {
      expect(principalId).toMatch(/-cluster$/);
      expect(scope).toMatch(/network:Subnet\/tandem-\w+-workloads$/);
    }
  });

  it('administers clusters by name, isolates pods, and trusts only the accounts of the charts', () => {
    for (const inputs of inputsOf('containerservice:ManagedCluster')) {
      expect(inputs).toMatchObject({
        disableLocalAccounts: true,
        aadProfile: { enableAzureRBAC: true, adminGroupObjectIDs: [EXAMPLE.operatorGroupId] },
        oidcIssuerProfile: { enabled: true },
        securityProfile: { workloadIdentity: { enabled: true } },
        workloadAutoScalerProfile: { keda: { enabled: true } },
        networkProfile: { networkPolicy: 'cilium', networkDataplane: 'cilium' },
        agentPoolProfiles: [{ availabilityZones: ['1', '2', '3'], minCount: 3 }],
      });
    }
    const subjects = inputsOf('managedidentity:FederatedIdentityCredential').map(
      ({ subject, audiences }) => {
        expect(audiences).toEqual(['api://AzureADTokenExchange']);
        return String(subject).replace('system:serviceaccount:', '');
      },
    );
    const accounts = ['kube-system:keda-operator', 'tandem:customer-api', 'tandem:replicator'];
    const operators = hasOperators ? ['tandem:operator-operate', 'tandem:operator-view'] : [];
    const hooks = ['tandem:table-endpoint', 'tandem:tandem-configuration-check'];
    const expected = [...accounts, ...operators, ...hooks].sort();
    const isCluster = platform === 'kubernetes';
    expect([...new Set(subjects)].sort()).toEqual(isCluster ? expected : []);
  });

  it('serves https only, and keeps the scaler out of the containers', () => {
    for (const { inputs } of all('app:ContainerApp').filter(({ name }) => name.endsWith('api'))) {
      expect(inputs).toMatchObject({ configuration: { ingress: { allowInsecure: false } } });
    }
    for (const { inputs } of all('app:ContainerApp').filter(({ name }) => name.endsWith('tor'))) {
      expect(inputs).toMatchObject({
        configuration: { identitySettings: [{ lifecycle: 'None' }] },
        template: { scale: { rules: [{ custom: { type: 'azure-servicebus' } }] } },
      });
      expect(inputs['configuration']).not.toHaveProperty('ingress');
    }
  });

  it('pulls images from a registry that asks who pulls', () => {
    expect(inputsOf('containerregistry:Registry')).toEqual([
      expect.objectContaining({ adminUserEnabled: false, anonymousPullEnabled: false }),
    ]);
    expect(all('containerregistry:Replication')).toHaveLength(regions.length - 1);
  });

  it('sends clients to the first region that is ready, as fast as Traffic Manager can', () => {
    const tables = 'tables' in changes ? [TABLES.tables.dnsLabel] : [];
    const labels = ['tandem-customers', ...tables];
    expect(inputsOf('trafficmanager:Profile')).toEqual(
      labels.map((label) =>
        expect.objectContaining({
          trafficRoutingMethod: 'Priority',
          dnsConfig: { relativeName: label, ttl: 10 },
          monitorConfig: expect.objectContaining({
            protocol: 'HTTPS',
            port: 443,
            path: '/health/ready',
            intervalInSeconds: 10,
            timeoutInSeconds: 9,
            toleratedNumberOfFailures: 3,
          }),
          endpoints: regions.map(({ name, host }, index) =>
            expect.objectContaining({
              name,
              target: label === 'tandem-tables' ? `${name}.tables.example.com` : host,
              priority: index + 1,
              endpointStatus: 'Enabled',
              alwaysServe: 'Disabled',
            }),
          ),
        }),
      ),
    );
  });
});
