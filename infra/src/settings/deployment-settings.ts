import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const HOST = '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$';
const UUID = '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

/** Azure gives every storage account, namespace and vault a name of its own in the whole world. */
const Project = Type.String({ pattern: '^[a-z][a-z0-9]{2,9}$' });

const DnsLabel = Type.String({ pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' });

const Region = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9]{0,11}$' }),
    location: Type.String({ pattern: '^[a-z]+[a-z0-9]*$' }),
    host: Type.String({ pattern: HOST }),
    /** Where clients of Table Storage find the region; needed where `tables` is set. */
    tableHost: Type.Optional(Type.String({ pattern: HOST })),
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
    /** The group whose members administer the clusters. */
    operatorGroupId: Type.String({ pattern: UUID }),
    alertEmail: Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$' }),
    imageTag: Type.String({ pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' }),
    probe: ProbeSettings,
  },
  closed,
);

export type DeploymentSettings = Static<typeof DeploymentSettings>;
export type RegionSettings = Static<typeof Region>;
export type ProbeSettings = Static<typeof ProbeSettings>;
