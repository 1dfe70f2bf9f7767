import {
  ActiveRevisionsMode,
  BindingType,
  Certificate,
  ContainerApp,
  IdentitySettingsLifeCycle,
  IngressTransportMethod,
  Job,
  ManagedEnvironment,
  ManagedServiceIdentityType,
  Type as ProbeType,
  TriggerType,
} from '@pulumi/azure-native/app/index.js';
import { DiagnosticSetting } from '@pulumi/azure-native/monitor/index.js';
import { all, type Output } from '@pulumi/pulumi';
import { grant } from '../access/grant.ts';
import type { Region } from '../region/build-region.ts';
import { imageTagOf, placeOf, prefixOf } from '../region/region-context.ts';
import type { ImageRegistry } from '../registry.ts';
import { createOperatorPlace, grantPulling } from './operator-place.ts';
import {
  type AppOptions,
  type ServicePlan,
  serviceEnvironment,
  settingsEnvironment,
} from './service-environment.ts';

const API: ServicePlan = { service: 'customer-api', port: 8_080, shutdownDeadlineMs: 20_000 };
const REPLICATOR: ServicePlan = { service: 'replicator', port: 8_081, shutdownDeadlineMs: 20_000 };
/** Longer than a stop may take; the numbers are those of the charts. */
const STOP_SECONDS = 40;
const MESSAGES_PER_REPLICA = 500;
const REQUESTS_PER_REPLICA = 50;

/** How many of each service there are by the size of the stack, unless a region says otherwise; three are one for each zone. */
const LARGE = { customerApi: { min: 3, max: 12 }, replicator: { min: 2, max: 10 } } as const;
const SMALL = { customerApi: { min: 1, max: 2 }, replicator: { min: 1, max: 2 } } as const;

/** A record that the zone of the hosts needs. */
export interface DnsRecord {
  readonly type: 'CNAME' | 'TXT';
  readonly name: string;
  readonly value: Output<string>;
}

export interface BuiltApps {
  /** What the DNS needs before the last stage. */
  readonly records: readonly DnsRecord[];
  /**
   * The version of its services, as the stack has them after the run: of those that it leaves alone, since a target was named,
   * the one of before. Undefined before there are any.
   */
  readonly version: Output<string> | undefined;
}

/** The region's services without a cluster, as far as the stage goes. */
export function createContainerApps(
  own: Region,
  regions: readonly Region[],
  images: ImageRegistry,
): BuiltApps {
  const prefix = prefixOf(own.context);
  const { region, settings } = own.context;
  const { secrets } = own.identities;
  const environment = new ManagedEnvironment(`${prefix}-environment`, {
    ...placeOf(own.context),
    zoneRedundant: settings.size !== 'small',
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [secrets.id],
    },
    vnetConfiguration: { infrastructureSubnetId: own.network.workloads.id, internal: false },
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }],
    appLogsConfiguration: { destination: 'azure-monitor' },
    peerTrafficConfiguration: { encryption: { enabled: true } },
  });
  new DiagnosticSetting(`${prefix}-environment-logs`, {
    resourceUri: environment.id,
    workspaceId: own.logs.id,
    logs: [{ category: 'ContainerAppConsoleLogs', enabled: true }],
  });
  for (const service of ['customerApi', 'replicator'] as const) {
    grant({
      name: `${prefix}-${service}-pulls`,
      principalId: own.identities[service].principalId,
      role: 'acrPull',
      scope: images.registry.id,
    });
  }
  grantPulling(own, images);
  let version: Output<string> | undefined;
  if (settings.containerApps?.stage !== 'platform') {
    const options = { own, regions, images, environment };
    createSettingsJob(options);
    version = versionOf([createApi(options), createReplicator(options)]);
    createOperatorPlace(options);
  }
  const proof = environment.customDomainConfiguration.apply(
    (domain) => domain?.customDomainVerificationId ?? '',
  );
  const address = environment.defaultDomain.apply((domain) => `${apiNameOf(own)}.${domain}`);
  return {
    version,
    records: [
      { type: 'CNAME', name: region.host, value: address },
      { type: 'TXT', name: `asuid.${region.host}`, value: proof },
      // All regions of a subscription have the same proof.
      { type: 'TXT', name: `asuid.${settings.publicHost}`, value: proof },
    ],
  };
}

/** Both where a run was ended between the two. */
function versionOf(apps: readonly ContainerApp[]): Output<string> {
  const templates = all(apps.map(({ template }) => template));
  return templates.apply((found) => {
    const images = found
      .flatMap((template) => template?.containers ?? [])
      .map(({ image }) => image);
    return [...new Set(images.map((image) => image?.split(':').at(-1)))].join(' and ');
  });
}

/** Azure takes 32 characters at most. */
const apiNameOf = (own: Region): string => `${prefixOf(own.context)}-api`;

/**
 * The hosts, by a certificate of the region's vault. One that Azure manages is not issued, and not renewed, for a name that leads
 * to Traffic Manager first.
 */
function createDomains({ own, environment }: AppOptions) {
  const { region, settings } = own.context;
  const { stage, certificate: name } = settings.containerApps ?? {};
  if (stage !== 'domains') return [];
  const certificate = new Certificate(`${prefixOf(own.context)}-certificate`, {
    ...placeOf(own.context),
    environmentName: environment.name,
    properties: {
      certificateKeyVaultProperties: {
        identity: own.identities.secrets.id,
        keyVaultUrl: `https://${own.data.vaultName}.vault.azure.net/secrets/${name}`,
      },
    },
  });
  return [region.host, settings.publicHost].map((host) => ({
    name: host,
    bindingType: BindingType.SniEnabled,
    certificateId: certificate.id,
  }));
}

function replicasOf(
  { region, settings }: Region['context'],
  service: 'customerApi' | 'replicator',
) {
  const sizes = settings.size === 'small' ? SMALL : LARGE;
  return region.replicas?.[service] ?? sizes[service];
}

function createApi(options: AppOptions): ContainerApp {
  const { own, images, environment } = options;
  const identity = own.identities.customerApi;
  const replicas = replicasOf(own.context, 'customerApi');
  return new ContainerApp(`${prefixOf(own.context)}-customer-api`, {
    ...placeOf(own.context),
    containerAppName: apiNameOf(own),
    managedEnvironmentId: environment.id,
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [identity.id],
    },
    configuration: {
      activeRevisionsMode: ActiveRevisionsMode.Single,
      registries: [{ server: images.server, identity: identity.id }],
      ingress: {
        external: true,
        targetPort: API.port,
        allowInsecure: false,
        transport: IngressTransportMethod.Http,
        customDomains: createDomains(options),
      },
    },
    template: {
      terminationGracePeriodSeconds: STOP_SECONDS,
      containers: [container(options, API)],
      scale: {
        minReplicas: replicas.min,
        maxReplicas: replicas.max,
        rules: [
          {
            name: 'requests',
            http: { metadata: { concurrentRequests: String(REQUESTS_PER_REPLICA) } },
          },
        ],
      },
    },
  });
}

function createReplicator(options: AppOptions): ContainerApp {
  const { own, images, environment } = options;
  const { replicator, scaler } = own.identities;
  const replicas = replicasOf(own.context, 'replicator');
  return new ContainerApp(`${prefixOf(own.context)}-replicator`, {
    ...placeOf(own.context),
    managedEnvironmentId: environment.id,
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [replicator.id, scaler.id],
    },
    configuration: {
      activeRevisionsMode: ActiveRevisionsMode.Single,
      registries: [{ server: images.server, identity: replicator.id }],
      // The containers cannot act as the scaler, which may do more than they.
      identitySettings: [{ identity: scaler.id, lifecycle: IdentitySettingsLifeCycle.None }],
    },
    template: {
      terminationGracePeriodSeconds: STOP_SECONDS,
      containers: [container(options, REPLICATOR)],
      scale: {
        minReplicas: replicas.min,
        maxReplicas: replicas.max,
        rules: [
          {
            name: 'queue',
            custom: {
              type: 'azure-servicebus',
              identity: scaler.id,
              metadata: {
                namespace: prefixOf(own.context),
                queueName: own.context.settings.queue,
                messageCount: String(MESSAGES_PER_REPLICA),
              },
            },
          },
        ],
      },
    },
  });
}

/** It reads some rows and ends. */
const SETTINGS_SECONDS_MAX = 300;
/** A role that was just given may take minutes to be known everywhere. */
const SETTINGS_RETRIES = 4;

/**
 * Writes the settings of the stack into the region's table Configuration, as the hook of the charts does. Whoever releases
 * starts it before the apps are changed, since nothing of Azure would.
 */
function createSettingsJob({ own, regions, images, environment }: AppOptions): Job {
  const identity = own.identities.replicator;
  const variables = Object.entries(settingsEnvironment(own, regions));
  return new Job(`${prefixOf(own.context)}-settings`, {
    ...placeOf(own.context),
    jobName: `${prefixOf(own.context)}-settings`,
    environmentId: environment.id,
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [identity.id],
    },
    configuration: {
      triggerType: TriggerType.Manual,
      manualTriggerConfig: { parallelism: 1, replicaCompletionCount: 1 },
      replicaTimeout: SETTINGS_SECONDS_MAX,
      replicaRetryLimit: SETTINGS_RETRIES,
      registries: [{ server: images.server, identity: identity.id }],
    },
    template: {
      containers: [
        {
          name: 'tandem',
          image: `${images.server}/tandem-operator:${imageTagOf(own.context)}`,
          args: ['config', 'release', '--region', own.context.region.name, '--apply'],
          env: [
            ...variables.map(([name, value]) => ({ name, value })),
            { name: 'AZURE_CLIENT_ID', value: identity.clientId },
          ],
          resources: { cpu: 0.25, memory: '0.5Gi' },
        },
      ],
    },
  });
}

function container({ own, images }: AppOptions, plan: ServicePlan) {
  const identity = own.identities[plan.service === 'replicator' ? 'replicator' : 'customerApi'];
  const variables = Object.entries(serviceEnvironment(own, plan));
  return {
    name: plan.service,
    image: `${images.server}/tandem-${plan.service}:${imageTagOf(own.context)}`,
    env: [
      ...variables.map(([name, value]) => ({ name, value })),
      // Which of the app's identities the process acts as.
      { name: 'AZURE_CLIENT_ID', value: identity.clientId },
    ],
    resources: { cpu: 0.5, memory: '1Gi' },
    probes: [
      probe(ProbeType.Startup, plan, {
        path: '/health/live',
        periodSeconds: 2,
        failureThreshold: 30,
      }),
      probe(ProbeType.Liveness, plan, {
        path: '/health/live',
        periodSeconds: 10,
        failureThreshold: 3,
      }),
      probe(ProbeType.Readiness, plan, {
        // Not /health/ready, which says whether the region may take traffic: see the chart.
        path: '/health/serving',
        periodSeconds: 5,
        failureThreshold: 2,
      }),
    ],
  };
}

function probe(
  type: ProbeType,
  { port }: ServicePlan,
  { path, ...times }: { path: string; periodSeconds: number; failureThreshold: number },
) {
  return { type, httpGet: { path, port }, timeoutSeconds: 3, ...times };
}
