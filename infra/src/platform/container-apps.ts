import {
  ActiveRevisionsMode,
  BindingType,
  ContainerApp,
  IdentitySettingsLifeCycle,
  IngressTransportMethod,
  ManagedEnvironment,
  ManagedServiceIdentityType,
  Type as ProbeType,
} from '@pulumi/azure-native/app/index.js';
import { DiagnosticSetting } from '@pulumi/azure-native/monitor/index.js';
import { grant } from '../access/grant.ts';
import type { Region } from '../region/build-region.ts';
import { placeOf, prefixOf } from '../region/region-context.ts';
import type { ImageRegistry } from '../registry.ts';
import { type ServicePlan, serviceEnvironment } from './service-environment.ts';

const API: ServicePlan = { service: 'customer-api', port: 8_080, shutdownDeadlineMs: 20_000 };
const REPLICATOR: ServicePlan = { service: 'replicator', port: 8_081, shutdownDeadlineMs: 20_000 };
/** Longer than a stop may take; the numbers are those of the charts. */
const STOP_SECONDS = 40;
const MESSAGES_PER_REPLICA = 500;
const REQUESTS_PER_REPLICA = 50;

/** The region's services without a cluster. */
export function createContainerApps(
  own: Region,
  regions: readonly Region[],
  images: ImageRegistry,
): void {
  const prefix = prefixOf(own.context);
  const environment = new ManagedEnvironment(`${prefix}-environment`, {
    ...placeOf(own.context),
    zoneRedundant: true,
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
  createApi({ own, regions, images, environment });
  createReplicator({ own, regions, images, environment });
}

interface AppOptions {
  readonly own: Region;
  readonly regions: readonly Region[];
  readonly images: ImageRegistry;
  readonly environment: ManagedEnvironment;
}

function createApi(options: AppOptions): ContainerApp {
  const { own, images, environment } = options;
  const { region, settings } = own.context;
  const identity = own.identities.customerApi;
  return new ContainerApp(`${prefixOf(own.context)}-customer-api`, {
    ...placeOf(own.context),
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
        customDomains: [region.host, settings.publicHost].map((name) => ({
          name,
          bindingType: BindingType.Auto,
        })),
      },
    },
    template: {
      terminationGracePeriodSeconds: STOP_SECONDS,
      containers: [container(options, API)],
      scale: {
        // One for each zone.
        minReplicas: 3,
        maxReplicas: 12,
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
        minReplicas: 2,
        maxReplicas: 10,
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

function container({ own, regions, images }: AppOptions, plan: ServicePlan) {
  const identity = own.identities[plan.service === 'replicator' ? 'replicator' : 'customerApi'];
  const variables = Object.entries(serviceEnvironment(own, regions, plan));
  return {
    name: plan.service,
    image: `${images.server}/tandem-${plan.service}:${own.context.settings.imageTag}`,
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
