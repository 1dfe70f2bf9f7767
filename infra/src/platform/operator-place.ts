// The operator's place where there is no cluster: the console, and commands as jobs. What the chart `operator` has on clusters.
import {
  Action,
  ActiveRevisionsMode,
  ContainerApp,
  IdentitySettingsLifeCycle,
  IngressTransportMethod,
  Job,
  ManagedServiceIdentityType,
  Type as ProbeType,
  StorageType,
  TriggerType,
} from '@pulumi/azure-native/app/index.js';
import { grant } from '../access/grant.ts';
import type { Region } from '../region/build-region.ts';
import { imageTagOf, placeOf, prefixOf } from '../region/region-context.ts';
import type { ImageRegistry } from '../registry.ts';
import { type ConsoleSettings, canarySchedule } from '../settings/deployment-settings.ts';
import { type AppOptions, inventoryOf } from './service-environment.ts';

const CONSOLE_PORT = 8_083;
/** What is under way is told to stop, as by Ctrl-C, and writes down how far it came. */
const STOP_SECONDS = 60;
/** What a command may take. */
const JOB_SECONDS_MAX = 86_400;
/** The time that it gives each region, and what its container takes to start. */
const CANARY_SECONDS_MAX = 240;
/** Of what `image` says a container may write: the audit, and the reports of what took long. */
const STATE = [{ volumeName: 'state', mountPath: '/data' }];
const STATE_VOLUMES = [{ name: 'state', storageType: StorageType.EmptyDir }];
const RESOURCES = { cpu: 0.25, memory: '0.5Gi' };
const SECRET = 'client-secret';

interface OperatorJob {
  readonly name: string;
  readonly identity: 'operator' | 'viewer';
  readonly args: readonly string[];
  readonly secondsMax: number;
  readonly variables?: Readonly<Record<string, string>>;
  /** By hand without one. */
  readonly cron?: string;
}

/** Started by hand, each by its name. */
const COMMANDS = ['status', 'verify', 'doctor'] as const;

/** Lets the images be pulled as who looks and who mends. */
export function grantPulling({ context, identities }: Region, images: ImageRegistry): void {
  for (const name of ['operator', 'viewer'] as const) {
    const identity = identities[name];
    if (identity === undefined) continue;
    grant({
      name: `${prefixOf(context)}-${name}-pulls`,
      principalId: identity.principalId,
      role: 'acrPull',
      scope: images.registry.id,
    });
  }
}

/** Makes the place of a region whose stack has operators; nothing otherwise. */
export function createOperatorPlace(options: AppOptions): void {
  const { region, settings } = options.own.context;
  if (!settings.operators) return;
  if (settings.console !== undefined) createConsole(options, settings.console);
  for (const name of COMMANDS) {
    createJob(options, { name, identity: 'operator', args: [name], secondsMax: JOB_SECONDS_MAX });
  }
  if (settings.canary === undefined) return;
  createJob(options, {
    name: 'canary',
    // It needs no role on tables and queues: it asks as clients do.
    identity: 'viewer',
    args: ['canary', '--json', '--as', region.name],
    secondsMax: CANARY_SECONDS_MAX,
    variables: { TANDEM_TOKEN_SCOPE: `${settings.auth.audience}/.default` },
    cron: canarySchedule(settings.canary),
  });
}

function createJob(options: AppOptions, job: OperatorJob): void {
  const { own, images, environment } = options;
  const identity = identityOf(own, job.identity);
  const once = { parallelism: 1, replicaCompletionCount: 1 };
  new Job(`${prefixOf(own.context)}-${job.name}`, {
    ...placeOf(own.context),
    // Azure takes 32 characters at most.
    jobName: `${prefixOf(own.context)}-${job.name}`,
    environmentId: environment.id,
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [identity.id],
    },
    configuration: {
      ...(job.cron === undefined
        ? { triggerType: TriggerType.Manual, manualTriggerConfig: once }
        : {
            triggerType: TriggerType.Schedule,
            scheduleTriggerConfig: { cronExpression: job.cron, ...once },
          }),
      replicaTimeout: job.secondsMax,
      // A command says by its exit code what it found: run again, it would say it again.
      replicaRetryLimit: 0,
      registries: [{ server: images.server, identity: identity.id }],
    },
    template: {
      containers: [
        {
          ...containerOf(options, job.variables ?? {}, identity.clientId),
          name: 'tandem',
          args: [...job.args],
        },
      ],
      volumes: STATE_VOLUMES,
    },
  });
}

/** One process, since visits and commands that are under way are in its memory. */
function createConsole(options: AppOptions, settings: ConsoleSettings): void {
  const { own, images, environment } = options;
  const { secrets } = own.identities;
  const identity = identityOf(own, settings.identity === 'view' ? 'viewer' : 'operator');
  const name = `${prefixOf(own.context)}-console`;
  const container = containerOf(options, consoleVariables(settings), identity.clientId);
  new ContainerApp(name, {
    ...placeOf(own.context),
    containerAppName: name,
    managedEnvironmentId: environment.id,
    identity: {
      type: ManagedServiceIdentityType.UserAssigned,
      userAssignedIdentities: [identity.id, ...(settings.secret === undefined ? [] : [secrets.id])],
    },
    configuration: {
      activeRevisionsMode: ActiveRevisionsMode.Single,
      registries: [{ server: images.server, identity: identity.id }],
      ...clientSecretOf(own, settings),
      ingress: {
        external: true,
        targetPort: CONSOLE_PORT,
        allowInsecure: false,
        transport: IngressTransportMethod.Http,
        // The name of an app is reached from everywhere; who may is said in two places, and the first is the network.
        ipSecurityRestrictions: settings.allowFrom.map((ipAddressRange, index) => ({
          name: `people-${index + 1}`,
          action: Action.Allow,
          ipAddressRange,
        })),
      },
    },
    template: {
      terminationGracePeriodSeconds: STOP_SECONDS,
      containers: [
        {
          ...container,
          name: 'console',
          args: ['console', '--host', '0.0.0.0', '--port', String(CONSOLE_PORT)],
          env: [
            ...container.env,
            {
              name: 'TANDEM_CONSOLE_URL',
              value: environment.defaultDomain.apply((domain) => `https://${name}.${domain}`),
            },
            ...(settings.secret === undefined
              ? []
              : [{ name: 'TANDEM_CONSOLE_CLIENT_SECRET', secretRef: SECRET }]),
          ],
          probes: PROBES.map(probe),
        },
      ],
      volumes: STATE_VOLUMES,
      scale: { minReplicas: 1, maxReplicas: 1 },
    },
  });
}

function clientSecretOf(own: Region, { secret }: ConsoleSettings) {
  if (secret === undefined) return {};
  const identity = own.identities.secrets.id;
  const keyVaultUrl = `https://${own.data.vaultName}.vault.azure.net/secrets/${secret}`;
  return {
    // Of the vault's reader the container itself gets no token.
    identitySettings: [{ identity, lifecycle: IdentitySettingsLifeCycle.None }],
    secrets: [{ name: SECRET, keyVaultUrl, identity }],
  };
}

const PROBES = [
  [ProbeType.Startup, '/health/live', 30],
  [ProbeType.Liveness, '/health/live', 3],
  [ProbeType.Readiness, '/health/serving', 2],
] as const;

function consoleVariables(settings: ConsoleSettings): Readonly<Record<string, string>> {
  return {
    TANDEM_CONSOLE_ISSUER: settings.issuer,
    TANDEM_CONSOLE_CLIENT_ID: settings.clientId,
    TANDEM_CONSOLE_ROLES_CLAIM: settings.rolesClaim,
    TANDEM_CONSOLE_VIEW_ROLE: settings.roles.view,
    TANDEM_CONSOLE_OPERATE_ROLE: settings.roles.operate,
    TANDEM_CONSOLE_ERASE_ROLE: settings.roles.erase,
  };
}

function containerOf(
  { own, regions, images }: AppOptions,
  variables: Readonly<Record<string, string>>,
  clientId: Region['identities']['secrets']['clientId'],
) {
  const all = { TANDEM_REGIONS: JSON.stringify(inventoryOf(regions)), ...variables };
  return {
    image: `${images.server}/tandem-operator:${imageTagOf(own.context)}`,
    env: [
      ...Object.entries(all).map(([name, value]) => ({ name, value })),
      { name: 'AZURE_CLIENT_ID', value: clientId },
    ],
    resources: RESOURCES,
    volumeMounts: STATE,
  };
}

function probe([type, path, failureThreshold]: (typeof PROBES)[number]) {
  const periodSeconds = type === ProbeType.Startup ? 2 : 10;
  return {
    type,
    httpGet: { path, port: CONSOLE_PORT },
    timeoutSeconds: 3,
    periodSeconds,
    failureThreshold,
  };
}

function identityOf({ identities }: Region, name: OperatorJob['identity']) {
  const identity = identities[name];
  if (identity === undefined) throw new Error(`A region with operators has no identity ${name}.`);
  return identity;
}
