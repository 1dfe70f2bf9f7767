// What the program asks Azure for, by Pulumi's mocks: the properties that must hold whatever else
// changes, for both platforms, both tiers, and more than two regions.
import { beforeAll, describe, expect, it } from 'vitest';
import { DATA_ROLES, NETWORK_CONTRIBUTOR } from './access/roles.ts';
import { LOG_ALERTS } from './alerts/alert-rules.ts';
import { upgradeTimeOf } from './platform/kubernetes.ts';
import { buildExample, valueOf } from './testing/build-example.ts';
import { type AskedResource, EXAMPLE, TENANT_ID } from './testing/mock-deployment.ts';

const THREE_REGIONS = [
  ...EXAMPLE.regions,
  { name: 'north', location: 'swedencentral', host: 'north.customers.example.com' },
];
const TABLES = {
  tables: { publicHost: 'tables.example.com', dnsLabel: 'tandem-tables' },
  regions: EXAMPLE.regions.map((one) => ({ ...one, tableHost: `${one.name}.tables.example.com` })),
};
const CONTAINER_APPS = { platform: 'container-apps', containerApps: { stage: 'domains' } };
const CONSOLE = {
  issuer: 'https://login.example.com/v2.0',
  clientId: 'console',
  secret: 'console-client',
  allowFrom: ['203.0.113.0/24', '198.51.100.7/32'],
};
/** The operator's place on container apps. */
const OPERATED = { operators: true, console: CONSOLE, canary: { everyMinutes: 10 } };
const VARIANTS = [
  { variant: 'clusters', changes: {} },
  { variant: 'container apps', changes: CONTAINER_APPS },
  { variant: 'clusters, Premium', changes: { serviceBusTier: 'Premium' } },
  { variant: 'clusters in three regions', changes: { regions: THREE_REGIONS } },
  { variant: 'clusters with Table endpoints', changes: TABLES },
  {
    variant: 'clusters with a place for operators',
    changes: { operators: true, regions: THREE_REGIONS },
  },
  {
    variant: 'container apps with a place for operators',
    changes: { ...CONTAINER_APPS, ...OPERATED },
  },
];
const ROLE_NAMES = new Map<string, string>(
  Object.entries(DATA_ROLES).map(([name, id]) => [id, name]),
);

describe.each(VARIANTS)('a deployment: $variant', ({ changes }) => {
  const { platform, serviceBusTier, regions } = {
    serviceBusTier: 'Standard',
    ...EXAMPLE,
    ...changes,
  } as { platform: string; serviceBusTier: string; regions: typeof THREE_REGIONS };
  const hasOperators = 'operators' in changes;
  const hasConsole = 'console' in changes;
  const hasCanary = 'canary' in changes;
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

  it('alerts on lag, outbox age, silence and dead letters in each region, and on a lost one', () => {
    const names = [...all('monitor:ScheduledQueryRule'), ...all('monitor:MetricAlert')].map(
      ({ name, inputs }) => {
        expect(inputs).toMatchObject({ enabled: true });
        expect(JSON.stringify(inputs['actions'])).toContain('tandem-operators');
        return name;
      },
    );
    const expected = regions.flatMap(({ name }) =>
      [
        'claims-refused',
        'clock-ahead',
        'conflicts',
        'dead-letters',
        'lag',
        'outbox-age',
        'silence',
        ...(hasCanary ? ['canary'] : []),
      ].map((alert) => `tandem-${name}-${alert}`),
    );
    const lost = ['tandem-endpoint-degraded'];
    if ('tables' in changes) lost.push('tandem-table-endpoint-degraded');
    const unreachable = all('applicationinsights:WebTest').map(({ name }) =>
      name.replace(/answers$/, 'unreachable'),
    );
    expect(names.sort()).toEqual([...lost, ...expected, ...unreachable].sort());
  });

  it('looks every minute at what costs data, and alerts at the first sight of it', () => {
    const rules = all('monitor:ScheduledQueryRule').filter(
      ({ name }) => !/-(?:silence|canary)$/.test(name),
    );
    expect(rules.length).toBe(5 * regions.length);
    for (const { inputs } of rules) {
      expect(inputs).toMatchObject({
        evaluationFrequency: 'PT1M',
        criteria: {
          allOf: [
            { failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 } },
          ],
        },
      });
    }
    for (const { inputs } of all('monitor:MetricAlert')) {
      expect(inputs['evaluationFrequency']).toBe('PT1M');
    }
  });

  it('has every product asked from other places, in each region and behind the shared name', () => {
    const tests = inputsOf('applicationinsights:WebTest') as readonly Record<string, unknown>[];
    const hosts = [
      EXAMPLE.publicHost,
      ...regions.map(({ host }) => host),
      ...('tables' in changes
        ? ['tables.example.com', ...regions.map(({ name }) => `${name}.tables.example.com`)]
        : []),
    ];
    expect(
      tests.map(({ request }) => (request as { requestUrl: string }).requestUrl).sort(),
    ).toEqual(hosts.map((host) => `https://${host}/health/ready`).sort());
    for (const one of tests) {
      expect(one).toMatchObject({
        enabled: true,
        validationRules: {
          expectedHttpStatusCode: 200,
          sSLCheck: true,
          sSLCertRemainingLifetimeCheck: 14,
        },
      });
      expect((one['locations'] as readonly unknown[]).length).toBeGreaterThanOrEqual(5);
    }
    // They are kept where the loss of the first region leaves them.
    const [component] = inputsOf('applicationinsights:Component');
    expect(component?.['workspaceResourceId']).toContain(`tandem-${regions.at(-1)?.name}-logs`);
  });
});

describe('the health score', () => {
  it('is a function of each workspace, which takes off for all that an alert is raised for', async () => {
    const { asked } = await buildExample();
    const searches = asked.filter(({ type }) => type.endsWith(':SavedSearch'));
    expect(searches.map(({ name }) => name).sort()).toEqual([
      'tandem-east-TandemRegionScore',
      'tandem-west-TandemProductScores',
      'tandem-west-TandemRegionScore',
    ]);
    const query = String(
      searches.find(({ name }) => name.startsWith('tandem-east'))?.inputs['query'],
    );
    for (const { measure, threshold } of LOG_ALERTS) {
      expect(query).toContain(`coalesce(${measure}, 0) > ${threshold}, `);
    }
    expect(query).toContain('lines == 0, 0');
  });
});

describe('who is told of an alert', () => {
  const receiversOf = async (changes: object) => {
    const { asked } = await buildExample(changes);
    return asked.find(({ type }) => type.endsWith(':ActionGroup'))?.inputs;
  };

  it('is one mail, and who is named besides', async () => {
    expect(await receiversOf({})).toMatchObject({
      emailReceivers: [{ emailAddress: EXAMPLE.alertEmail }],
      smsReceivers: [],
      webhookReceivers: [],
    });
    const alertReceivers = {
      emails: ['night@example.com'],
      phones: [{ countryCode: '49', number: '1701234567' }],
      webhooks: ['https://duty.example.com/tandem'],
    };
    expect(await receiversOf({ alertReceivers })).toMatchObject({
      emailReceivers: [{ emailAddress: EXAMPLE.alertEmail }, { emailAddress: 'night@example.com' }],
      smsReceivers: [{ countryCode: '49', phoneNumber: '1701234567' }],
      webhookReceivers: [{ serviceUri: 'https://duty.example.com/tandem' }],
    });
  });
});

const jobsOf = (asked: readonly AskedResource[]) =>
  asked
    .filter(({ type }) => type === 'azure-native:app:Job')
    .sort((a, b) => a.name.localeCompare(b.name));

/** By name; which is asked for first depends on what is known first. */
const appsOf = (asked: readonly AskedResource[]) =>
  asked
    .filter(({ type }) => type === 'azure-native:app:ContainerApp')
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ inputs }) => inputs as unknown as AppInputs);

interface AppInputs {
  readonly configuration: { readonly ingress?: { readonly customDomains: readonly object[] } };
  readonly template: {
    readonly containers: readonly { readonly image: string }[];
    readonly scale: { readonly minReplicas: number };
  };
}

const namesOf = (asked: readonly AskedResource[], type: string) =>
  asked.filter((one) => one.type === `azure-native:${type}`).map(({ name }) => name);

describe('a deployment, region by region', () => {
  const eastRuns = (imageTag: string, platform: object = CONTAINER_APPS) => {
    const [east, west] = EXAMPLE.regions;
    return buildExample({ ...platform, regions: [{ ...east, imageTag }, west] });
  };

  it('runs two versions at once, and an upgrade of one region changes nothing of another', async () => {
    const before = (await eastRuns('0.1.0')).asked;
    const after = (await eastRuns('0.2.0')).asked;
    const texts = new Map(before.map(({ type, name, inputs }) => [`${type} ${name}`, inputs]));
    expect(after.map(({ type, name }) => `${type} ${name}`).sort()).toEqual(
      [...texts.keys()].sort(),
    );
    const changed = after.filter(
      ({ type, name, inputs }) =>
        JSON.stringify(texts.get(`${type} ${name}`)) !== JSON.stringify(inputs),
    );
    expect(changed.map(({ name }) => name).sort()).toEqual([
      'tandem-east-customer-api',
      'tandem-east-replicator',
      'tandem-east-settings',
    ]);
    expect(
      appsOf(after).flatMap(({ template }) =>
        template.containers.map(({ image }) => image.split('/').at(-1)),
      ),
    ).toEqual([
      'tandem-customer-api:0.2.0',
      'tandem-replicator:0.2.0',
      'tandem-customer-api:0.1.0',
      'tandem-replicator:0.1.0',
    ]);
  });

  it('tells each release its own version, size, level of logs and wire version, and no other', async () => {
    const [east, west] = EXAMPLE.regions;
    const { deployment } = await buildExample({
      regions: [
        {
          ...east,
          imageTag: '0.2.0',
          logLevel: 'debug',
          wireVersion: 8,
          replicas: { customerApi: { min: 4, max: 5 } },
        },
        west,
      ],
    });
    expect(deployment.helmRegionValues).toEqual({
      east: {
        global: {
          region: 'east',
          image: { tag: '0.2.0' },
          settings: { 'Messages.WireVersion': 8 },
        },
        'customer-api': { replicas: { min: 4, max: 5 }, logLevel: 'debug' },
        replicator: { logLevel: 'debug' },
      },
      west: {
        global: { region: 'west', image: { tag: '0.1.0' } },
        'customer-api': {},
        replicator: {},
      },
    });
  });

  it('never upgrades two regions in the same hours of a week', async () => {
    const times = Array.from({ length: 33 }, (_, place) => JSON.stringify(upgradeTimeOf(place)));
    expect(new Set(times).size).toBe(times.length);
    const { asked } = await buildExample();
    const windows = asked
      .filter(({ type }) => type === 'azure-native:containerservice:MaintenanceConfiguration')
      .map(({ name, inputs: { maintenanceWindow } }) => ({ name, maintenanceWindow }))
      .sort((a, b) => a.name.localeCompare(b.name));
    const of = (region: string, day: string) =>
      ['aksManagedAutoUpgradeSchedule', 'aksManagedNodeOSUpgradeSchedule'].map((schedule) => ({
        name: `tandem-${region}-${schedule}`,
        maintenanceWindow: expect.objectContaining({
          startTime: '04:00',
          schedule: { weekly: { dayOfWeek: day, intervalWeeks: 1 } },
        }),
      }));
    expect(windows).toEqual([...of('east', 'Tuesday'), ...of('west', 'Monday')]);
  });

  it('runs the services on nodes of their own, beside which the cluster does not starve', async () => {
    const { asked } = await buildExample();
    const clusters = asked.filter(({ type }) => type.endsWith(':ManagedCluster'));
    for (const { inputs } of clusters)
      expect(inputs['agentPoolProfiles']).toMatchObject([
        { mode: 'System', nodeTaints: ['CriticalAddonsOnly=true:NoSchedule'] },
      ]);
    const pools = asked.filter(({ type }) => type.endsWith(':AgentPool'));
    expect(pools.map(({ inputs }) => inputs)).toEqual(
      clusters.map(() =>
        expect.objectContaining({ mode: 'User', availabilityZones: ['1', '2', '3'] }),
      ),
    );
  });
});

describe('container apps, step by step', () => {
  const build = (stage: string, changes: object = {}) =>
    buildExample({ platform: 'container-apps', containerApps: { stage }, ...changes });

  it('are not made before their images can be there', async () => {
    const { asked } = await build('platform');
    expect(namesOf(asked, 'app:ContainerApp')).toEqual([]);
    expect(namesOf(asked, 'app:ManagedEnvironment')).toHaveLength(2);
    expect(namesOf(asked, 'containerregistry:Registry')).toHaveLength(1);
  });

  it('tell the records that the DNS needs, before a name is bound', async () => {
    const { asked, deployment } = await build('apps');
    const records = await valueOf(deployment.dnsRecords);
    expect(
      (records as { type: string; name: string }[]).map(({ type, name }) => `${type} ${name}`),
    ).toEqual([
      'CNAME east.customers.example.com',
      'TXT asuid.east.customers.example.com',
      'TXT asuid.customers.example.com',
      'CNAME west.customers.example.com',
      'TXT asuid.west.customers.example.com',
    ]);
    expect(namesOf(asked, 'app:ContainerApp')).toHaveLength(4);
    expect(namesOf(asked, 'app:Certificate')).toEqual([]);
    expect(JSON.stringify(asked)).not.toContain('bindingType');
  });

  it('bind both names with a certificate of the vault, none that Azure would have to issue', async () => {
    const { asked } = await build('domains');
    const bound = appsOf(asked).flatMap(({ configuration: { ingress } }) =>
      ingress ? [ingress.customDomains] : [],
    );
    expect(bound).toEqual(
      EXAMPLE.regions.map(({ name, host }) =>
        [host, EXAMPLE.publicHost].map((domain) => ({
          name: domain,
          bindingType: 'SniEnabled',
          certificateId: expect.stringContaining(`tandem-${name}-certificate`),
        })),
      ),
    );
    const certificates = asked.filter(({ type }) => type === 'azure-native:app:Certificate');
    certificates.sort((a, b) => a.name.localeCompare(b.name));
    expect(certificates.map(({ inputs }) => inputs['properties'])).toEqual(
      EXAMPLE.regions.map(({ name }) => ({
        certificateKeyVaultProperties: {
          identity: expect.stringContaining(`tandem-${name}-secrets`),
          keyVaultUrl: `https://tandem-${name}.vault.azure.net/secrets/tandem-tls`,
        },
      })),
    );
  });

  it('are one of each where the stack is small', async () => {
    const { asked } = await build('apps', { size: 'small' });
    const scales = appsOf(asked).map(({ template }) => template.scale.minReplicas);
    expect(scales).toEqual([1, 1, 1, 1]);
    expect(namesOf(asked, 'containerregistry:Replication')).toEqual([]);
  });

  it('reach every setting of a region that the charts reach', async () => {
    const [east, west] = EXAMPLE.regions;
    const { asked } = await build('apps', {
      regions: [{ ...east, logLevel: 'debug', wireVersion: 8 }, west],
    });
    const levels = appsOf(asked).map(({ template }) =>
      JSON.stringify(template).includes('"debug"'),
    );
    expect(levels).toEqual([true, true, false, false]);
    const written = jobsOf(asked).map(({ inputs }) => JSON.stringify(inputs));
    expect(written.map((text) => text.includes('MESSAGES_WIRE_VERSION'))).toEqual([true, false]);
  });

  it('send telemetry to the collector of the stack, and none without one', async () => {
    const otlp = { endpoint: 'https://collector.example.com', sampledShare: 0.5 };
    for (const { template } of appsOf((await build('apps', { otlp })).asked)) {
      const text = JSON.stringify(template);
      expect(text).toContain(
        '{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"https://collector.example.com"}',
      );
      expect(text).toContain('{"name":"OTEL_TRACES_SAMPLER_ARG","value":"0.5"}');
    }
    expect(JSON.stringify((await build('apps')).asked)).not.toContain('OTEL_');
  });

  it('have a job that writes their settings, as the replicator, and only when it is started', async () => {
    const { asked } = await build('apps');
    for (const { name, inputs } of jobsOf(asked)) {
      const region = name.split('-')[1];
      expect(inputs).toMatchObject({
        identity: { userAssignedIdentities: [expect.stringContaining(`${region}-replicator`)] },
        configuration: { triggerType: 'Manual', replicaTimeout: 300 },
        template: {
          containers: [{ args: ['config', 'release', '--region', region, '--apply'] }],
        },
      });
    }
    expect(jobsOf(asked)).toHaveLength(2);
    // The environment of a service would win over what an operator sets.
    const text = JSON.stringify(appsOf(asked));
    for (const variable of ['CUSTOMER_QUEUE', 'PEER', 'SERVICE_BUS_CONNECTION', 'DATA_ACCESS']) {
      expect(text).not.toContain(variable);
    }
  });
});

describe("the operator's place on container apps", () => {
  const build = (changes: object = {}) =>
    buildExample({ ...CONTAINER_APPS, ...OPERATED, ...changes });
  const consoleOf = async (changes: object = {}) => {
    const { asked } = await build(changes);
    const found = asked.find(
      ({ type, name }) => type.endsWith(':ContainerApp') && name === 'tandem-east-console',
    );
    return found?.inputs as unknown as ConsoleInputs;
  };

  it('is one process, reached by https from the networks of people alone', async () => {
    const { configuration, template } = await consoleOf();
    expect(configuration.ingress).toMatchObject({
      external: true,
      allowInsecure: false,
      targetPort: 8_083,
      ipSecurityRestrictions: [
        { action: 'Allow', ipAddressRange: '203.0.113.0/24' },
        { action: 'Allow', ipAddressRange: '198.51.100.7/32' },
      ],
    });
    expect(template.scale).toEqual({ minReplicas: 1, maxReplicas: 1 });
    expect(template.volumes).toEqual([{ name: 'state', storageType: 'EmptyDir' }]);
  });

  it('has the secret of its client from the vault, and no identity that reads the vault by itself', async () => {
    const { configuration, template } = await consoleOf();
    expect(configuration.secrets).toEqual([
      {
        name: 'client-secret',
        keyVaultUrl: 'https://tandem-east.vault.azure.net/secrets/console-client',
        identity: expect.stringContaining('tandem-east-secrets'),
      },
    ]);
    expect(configuration.identitySettings).toEqual([
      { identity: expect.stringContaining('tandem-east-secrets'), lifecycle: 'None' },
    ]);
    const [container] = template.containers;
    expect(container?.env).toContainEqual({
      name: 'TANDEM_CONSOLE_CLIENT_SECRET',
      secretRef: 'client-secret',
    });
    const { secret: _none, ...publicClient } = CONSOLE;
    const bare = await consoleOf({ console: publicClient });
    expect(JSON.stringify(bare)).not.toMatch(/CLIENT_SECRET|-secrets/);
  });

  it('acts as who looks where the stack says so', async () => {
    const { identity } = await consoleOf({ console: { ...CONSOLE, identity: 'view' } });
    expect(JSON.stringify(identity)).toContain('tandem-east-viewer');
    expect(JSON.stringify(identity)).not.toContain('tandem-east-operator');
  });

  it('has commands that are started by hand and never again by themselves, and the canary by the clock', async () => {
    const { asked } = await build();
    const jobs = jobsOf(asked).filter(({ name }) => name.startsWith('tandem-east'));
    const told = jobs.map(({ name, inputs }) => {
      const { configuration, identity, jobName } = inputs as unknown as JobInputs;
      expect(jobName.length).toBeLessThanOrEqual(32);
      const who = /tandem-east-\w+/.exec(JSON.stringify(identity))?.[0];
      const cron = configuration.scheduleTriggerConfig?.cronExpression ?? 'by hand';
      return `${name} as ${who} ${cron}, again ${configuration.replicaRetryLimit}`;
    });
    expect(told.sort()).toEqual([
      'tandem-east-canary as tandem-east-viewer */10 * * * *, again 0',
      'tandem-east-doctor as tandem-east-operator by hand, again 0',
      'tandem-east-settings as tandem-east-replicator by hand, again 4',
      'tandem-east-status as tandem-east-operator by hand, again 0',
      'tandem-east-verify as tandem-east-operator by hand, again 0',
    ]);
  });

  it('is not there before its image can be, nor unless the stack asks', async () => {
    for (const changes of [
      { containerApps: { stage: 'platform' } },
      { operators: false, console: undefined, canary: undefined },
    ]) {
      const { asked } = await build(changes);
      const names = asked.map(({ name }) => name);
      expect(names.filter((name) => /-(?:console|verify)$/.test(name))).toEqual([]);
    }
  });

  it('has the longest names that a stack may have within what Azure takes', async () => {
    const [east, west] = EXAMPLE.regions;
    const { asked } = await build({
      project: 'abcdefghij',
      regions: [{ ...east, name: 'abcdefghijkl' }, west],
    });
    for (const { inputs } of asked) {
      for (const name of [inputs['jobName'], inputs['containerAppName']]) {
        expect(typeof name === 'string' ? name.length : 0).toBeLessThanOrEqual(32);
      }
    }
  });

  it('alerts when no canary of a region got through, by three of its turns', async () => {
    const windows = async (everyMinutes: number) => {
      const { asked } = await build({ canary: { everyMinutes } });
      const rule = asked.find(
        ({ type, name }) => type.endsWith(':ScheduledQueryRule') && name === 'tandem-west-canary',
      );
      expect(JSON.stringify(rule?.inputs)).toContain("== 'canary' and tobool(entry.ok)");
      return rule?.inputs['windowSize'];
    };
    expect([await windows(5), await windows(10), await windows(15), await windows(30)]).toEqual([
      'PT15M',
      'PT30M',
      'PT1H',
      'PT2H',
    ]);
  });
});

interface ConsoleInputs {
  readonly identity: unknown;
  readonly configuration: {
    readonly ingress: unknown;
    readonly secrets: unknown;
    readonly identitySettings: unknown;
  };
  readonly template: {
    readonly containers: readonly { readonly env: readonly unknown[] }[];
    readonly scale: unknown;
    readonly volumes: unknown;
  };
}

interface JobInputs {
  readonly jobName: string;
  readonly identity: unknown;
  readonly configuration: {
    readonly scheduleTriggerConfig?: { readonly cronExpression: string };
    readonly replicaRetryLimit: number;
  };
}

describe('experiments of chaos', () => {
  const FAULTS = {
    'queue-disabled': [
      'Microsoft.ServiceBus/namespaces Microsoft-ServiceBus ChangeQueueState-1.0',
      [
        'urn:csci:microsoft:serviceBus:changeQueueState/1.0',
        'urn:csci:microsoft:chaosStudio:timedDelay/1.0',
        'urn:csci:microsoft:serviceBus:changeQueueState/1.0',
      ],
    ],
    'storage-blocked': [
      'Microsoft.Network/networkSecurityGroups Microsoft-NetworkSecurityGroup SecurityRule-1.0',
      ['urn:csci:microsoft:networkSecurityGroup:securityRule/1.0'],
    ],
    'nodes-killed': [
      'Microsoft.Compute/virtualMachineScaleSets Microsoft-VirtualMachineScaleSet Shutdown-2.0',
      ['urn:csci:microsoft:virtualMachineScaleSet:shutdown/2.0'],
    ],
    'clock-moved': [
      'Microsoft.ContainerService/managedClusters Microsoft-AzureKubernetesServiceChaosMesh TimeChaos-2.2',
      ['urn:csci:microsoft:azureKubernetesServiceChaosMesh:timeChaos/2.2'],
    ],
  } as const;
  const CHAOS = { chaos: { region: 'west', nodeScaleSet: 'aks-services-12345678-vmss' } };

  interface ExperimentInputs {
    readonly properties: {
      readonly selectors: readonly { readonly targets: readonly { readonly id: string }[] }[];
      readonly steps: readonly {
        readonly branches: readonly { readonly actions: readonly Action[] }[];
      }[];
    };
  }
  interface Action {
    readonly name: string;
    readonly type: string;
    readonly duration?: string;
    readonly parameters?: readonly { readonly key: string; readonly value: string }[];
  }

  const experimentsIn = (asked: readonly AskedResource[]) =>
    asked.filter(({ type }) => type === 'azure-native:chaos:Experiment');
  const actionsOf = ({ inputs }: AskedResource) =>
    (inputs as unknown as ExperimentInputs).properties.steps.flatMap(({ branches }) =>
      branches.flatMap(({ actions }) => actions),
    );
  const drillOf = ({ name }: AskedResource) =>
    name.replace(/^tandem-west-chaos-|-(?:experiment|capability|target)$/g, '');

  it('are not there unless a stack asks for them', async () => {
    const { asked } = await buildExample();
    expect(asked.filter(({ type }) => /:chaos:|NetworkSecurityGroup/.test(type))).toEqual([]);
  });

  it('are those of the runbook, on one region, each with the faults that Microsoft documents', async () => {
    const { asked } = await buildExample(CHAOS);
    const found = Object.fromEntries(
      experimentsIn(asked).map((one) => {
        const own = asked.find(
          (other) => other.type.endsWith(':chaos:Capability') && drillOf(other) === drillOf(one),
        )?.inputs;
        const [provider, kind, target, capability] = [
          'parentProviderNamespace',
          'parentResourceType',
          'targetName',
          'capabilityName',
        ].map((name) => String(own?.[name]));
        const text = `${provider}/${kind} ${target} ${capability}`;
        return [drillOf(one), [text, actionsOf(one).map(({ name }) => name)]];
      }),
    );
    expect(found).toEqual(FAULTS);
    expect(asked.some(({ name }) => name.startsWith('tandem-east-chaos'))).toBe(false);
  });

  it('end by themselves: what is not taken back at the end of its time is undone by the last step', async () => {
    const { asked } = await buildExample({ chaos: { ...CHAOS.chaos, minutes: 7 } });
    for (const experiment of experimentsIn(asked)) {
      const actions = actionsOf(experiment);
      expect(
        actions.filter(({ type }) => type !== 'discrete').map(({ duration }) => duration),
      ).toEqual(['PT7M']);
      const states = actions.flatMap(({ parameters = [] }) =>
        parameters.flatMap(({ key, value }) => (key === 'desiredState' ? [value] : [])),
      );
      expect(states).toEqual(
        drillOf(experiment) === 'queue-disabled' ? ['Disabled', 'Active'] : [],
      );
    }
  });

  it('may each do their own harm and no other, and close the way to the account alone', async () => {
    const { asked } = await buildExample(CHAOS);
    const roles = asked.filter(
      ({ type, name }) => type.endsWith(':RoleAssignment') && name.includes('-chaos-'),
    );
    const scopes = roles.map(({ inputs }) => {
      const who = String(inputs['principalId']).replace('principal of tandem-west-chaos-', '');
      return `${who} on ${String(inputs['scope']).split('/').at(-1)}`;
    });
    expect(scopes.sort()).toEqual([
      'clock-moved on tandem-west-cluster',
      'clock-moved on tandem-west-cluster',
      'nodes-killed on aks-services-12345678-vmss',
      'queue-disabled on tandem-west-namespace',
      'storage-blocked on tandem-west-firewall',
    ]);
    const rule = actionsOf(experimentsIn(asked).find((one) => drillOf(one) === 'storage-blocked')!);
    expect(
      Object.fromEntries(rule[0]!.parameters!.map(({ key, value }) => [key, value])),
    ).toMatchObject({
      action: 'Deny',
      direction: 'Outbound',
      destinationAddresses: '["10.2.16.0/24"]',
      destinationPortRanges: '["443"]',
    });
    const subnets = asked.filter(({ type }) => type.endsWith('network:Subnet'));
    const guarded = subnets.filter(({ inputs }) => inputs['networkSecurityGroup'] !== undefined);
    expect(guarded.map(({ name }) => name)).toEqual(['tandem-west-workloads']);
  });

  it('of container apps are the two that need no cluster', async () => {
    const { asked } = await buildExample({ ...CONTAINER_APPS, chaos: { region: 'west' } });
    expect(experimentsIn(asked).map(drillOf).sort()).toEqual(['queue-disabled', 'storage-blocked']);
  });
});
