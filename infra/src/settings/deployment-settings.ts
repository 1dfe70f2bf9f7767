import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const HOST = '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$';
const UUID = '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

/** Azure gives every storage account, namespace and vault a name of its own in the whole world. */
const Project = Type.String({ pattern: '^[a-z][a-z0-9]{2,9}$' });

const DnsLabel = Type.String({ pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' });

const ImageTag = Type.String({ pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' });

/** What Azure takes of a kind in one group. */
const RECEIVERS_MAX = 9;
const Email = Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$' });

const REPLICAS_MAX = 100;
const Replicas = Type.Object(
  {
    min: Type.Integer({ minimum: 1, maximum: REPLICAS_MAX }),
    max: Type.Integer({ minimum: 1, maximum: REPLICAS_MAX }),
  },
  closed,
);

const Region = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9]{0,11}$' }),
    location: Type.String({ pattern: '^[a-z]+[a-z0-9]*$' }),
    host: Type.String({ pattern: HOST }),
    /** Where clients of Table Storage find the region; needed where `tables` is set. */
    tableHost: Type.Optional(Type.String({ pattern: HOST })),
    /** What this region runs, instead of the deployment's: so one region is upgraded, and another not. */
    imageTag: Type.Optional(ImageTag),
    replicas: Type.Optional(
      Type.Object(
        { customerApi: Type.Optional(Replicas), replicator: Type.Optional(Replicas) },
        closed,
      ),
    ),
    logLevel: Type.Optional(
      Type.Union([
        Type.Literal('fatal'),
        Type.Literal('error'),
        Type.Literal('warn'),
        Type.Literal('info'),
        Type.Literal('debug'),
        Type.Literal('trace'),
      ]),
    ),
    /** `Messages.WireVersion`; every region must read it before one writes it. */
    wireVersion: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
  },
  closed,
);

export const ProbeSettings = Type.Object(
  {
    intervalSeconds: Type.Integer({ default: 10 }),
    timeoutSeconds: Type.Integer({ default: 9 }),
    toleratedFailures: Type.Integer({ default: 3 }),
    dnsTtlSeconds: Type.Integer({ default: 10 }),
  },
  { ...closed, default: {} },
);

/**
 * How far container apps are built. An app cannot start before its image was pushed to the registry of the stack, and a
 * name cannot be bound before its records are in the DNS, which are known only once the environment is there: so a stack is
 * built in three steps, `platform`, `apps` and `domains`.
 */
const ContainerAppsSettings = Type.Object(
  {
    stage: Type.Union([Type.Literal('platform'), Type.Literal('apps'), Type.Literal('domains')]),
    /** The certificate of the region's host and the public one in the vault of each region, by name. */
    certificate: Type.String({ pattern: '^[A-Za-z0-9-]{1,127}$', default: 'tandem-tls' }),
  },
  closed,
);

/** Experiments of Azure Chaos Studio, on one region at a time: they do nothing until one is started. */
const Chaos = Type.Object(
  {
    region: Type.String(),
    /** For how long each goes on. */
    minutes: Type.Integer({ minimum: 1, maximum: 60, default: 10 }),
    /** That of the nodes which run the services, which Azure names when it makes the cluster; without it no node is killed. */
    nodeScaleSet: Type.Optional(Type.String({ pattern: '^aks-services-[0-9]+-vmss$' })),
  },
  closed,
);

const TEXT_MAX = 256;
const Text = Type.String({ minLength: 1, maxLength: TEXT_MAX });
const CIDR =
  '^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})/(?:[89]|[12][0-9]|3[0-2])$';

/** The console of each region on container apps, reached by the name that Azure gives it: docs/console.md. */
const ConsoleSettings = Type.Object(
  {
    /** Whom it asks who people are. */
    issuer: Type.String({ pattern: '^https://[^\\s?#]+$' }),
    clientId: Text,
    /** The name of the client's secret in the vault of each region; a client that has none needs none. */
    secret: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9-]{1,127}$' })),
    rolesClaim: Type.String({ minLength: 1, maxLength: TEXT_MAX, default: 'roles' }),
    roles: Type.Object(
      {
        view: Type.String({ minLength: 1, maxLength: TEXT_MAX, default: 'tandem.view' }),
        operate: Type.String({ minLength: 1, maxLength: TEXT_MAX, default: 'tandem.operate' }),
        erase: Type.String({ minLength: 1, maxLength: TEXT_MAX, default: 'tandem.erase' }),
      },
      { ...closed, default: {} },
    ),
    /** Whose rights it has at most: with `view` it cannot change anything. */
    identity: Type.Union([Type.Literal('operate'), Type.Literal('view')], { default: 'operate' }),
    /** From where people come, of at most 2^24 addresses each: nobody else reaches it. */
    allowFrom: Type.Array(Type.String({ pattern: CIDR }), { minItems: 1, maxItems: 50 }),
  },
  closed,
);

/** `tandem canary` on a schedule, from each region: docs/slo.md. */
const CanarySettings = Type.Object(
  { everyMinutes: Type.Integer({ minimum: 5, maximum: 30, default: 5 }) },
  closed,
);

/** What a stack says of its deployment, under `tandem:deployment`. */
export const DeploymentSettings = Type.Object(
  {
    project: Project,
    platform: Type.Union([Type.Literal('kubernetes'), Type.Literal('container-apps')]),
    publicHost: Type.String({ pattern: HOST }),
    /** Whose access tokens every region takes, and what they have in `aud`. */
    auth: Type.Object(
      {
        issuer: Type.String({ pattern: '^https://[^\\s?#]+$' }),
        audience: Type.String({ minLength: 1 }),
      },
      closed,
    ),
    dnsLabel: DnsLabel,
    /** The names under which clients of Table Storage find all regions; without them there is no Table endpoint. */
    tables: Type.Optional(
      Type.Object({ publicHost: Type.String({ pattern: HOST }), dnsLabel: DnsLabel }, closed),
    ),
    /** In the order of their priority. */
    regions: Type.Array(Region, { minItems: 1, maxItems: 33 }),
    queue: Type.String({
      pattern: '^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,48}[A-Za-z0-9])?$',
      default: 'customer',
    }),
    /** Premium closes the namespaces to the public network. */
    serviceBusTier: Type.Union([Type.Literal('Standard'), Type.Literal('Premium')], {
      default: 'Standard',
    }),
    /** A place in each region from which `tandem` reaches the tables and the queues of all of them. */
    operators: Type.Boolean({ default: false }),
    /** The console of that place on container apps; that of clusters is among the values of the charts. */
    console: Type.Optional(ConsoleSettings),
    /** A write in each region that is waited for in every other, as clients do, and an alert when none gets through. */
    canary: Type.Optional(CanarySettings),
    /** The group whose members administer the clusters. */
    operatorGroupId: Type.String({ pattern: UUID }),
    alertEmail: Email,
    /** Who is told besides: a mail alone wakes nobody. */
    alertReceivers: Type.Optional(
      Type.Object(
        {
          emails: Type.Optional(Type.Array(Email, { maxItems: RECEIVERS_MAX })),
          phones: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  countryCode: Type.String({ pattern: '^[1-9][0-9]{0,2}$' }),
                  number: Type.String({ pattern: '^[0-9]{4,14}$' }),
                },
                closed,
              ),
              { maxItems: RECEIVERS_MAX },
            ),
          ),
          /** Of a duty system, say; the address is a secret where its path is one. */
          webhooks: Type.Optional(
            Type.Array(Type.String({ pattern: '^https://[^\\s]+$' }), { maxItems: RECEIVERS_MAX }),
          ),
        },
        closed,
      ),
    ),
    imageTag: ImageTag,
    /** `small` is one replica of each service and a registry without copies, for trying it: container apps only. */
    size: Type.Union([Type.Literal('production'), Type.Literal('small')], {
      default: 'production',
    }),
    /** Where traces and metrics of container apps go, by OTLP over HTTP; that of clusters is among the values of the charts. */
    otlp: Type.Optional(
      Type.Object(
        {
          endpoint: Type.String({ pattern: '^https?://[^\\s/?#@]+(?:/[^\\s?#]*)?$' }),
          sampledShare: Type.Number({ minimum: 0, maximum: 1, default: 0.1 }),
        },
        closed,
      ),
    ),
    /** Needed where the platform is container apps. */
    containerApps: Type.Optional(ContainerAppsSettings),
    probe: ProbeSettings,
    chaos: Type.Optional(Chaos),
  },
  closed,
);

export type DeploymentSettings = Static<typeof DeploymentSettings>;
export type ConsoleSettings = Static<typeof ConsoleSettings>;
export type Replicas = Static<typeof Replicas>;
export type RegionSettings = Static<typeof Region>;
export type ProbeSettings = Static<typeof ProbeSettings>;

/** Returns when it runs, as cron has it. */
export function canarySchedule({ everyMinutes }: Static<typeof CanarySettings>): string {
  return `*/${everyMinutes} * * * *`;
}
