import { createHash } from 'node:crypto';
import { runtime } from '@pulumi/pulumi';

/** A resource as the program asked for it. */
export interface AskedResource {
  /** `azure-native:storage:StorageAccount`. */
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const STACK_REFERENCE = 'pulumi:pulumi:StackReference';

export const TENANT_ID = '00000000-0000-4000-8000-0000000000aa';

/** The stack's file of Pulumi.example.yaml, as an object. */
export const EXAMPLE = {
  project: 'tandem',
  platform: 'kubernetes',
  publicHost: 'customers.example.com',
  dnsLabel: 'tandem-customers',
  auth: {
    issuer: 'https://login.microsoftonline.com/00000000-0000-4000-8000-000000000001/v2.0',
    audience: 'api://tandem',
  },
  regions: [
    { name: 'east', location: 'westeurope', host: 'east.customers.example.com' },
    { name: 'west', location: 'northeurope', host: 'west.customers.example.com' },
  ],
  operatorGroupId: '00000000-0000-4000-8000-000000000010',
  alertEmail: 'operators@example.com',
  imageTag: '0.1.0',
} as const;

/**
 * Records what is asked for, and answers with what Azure would add. Nothing leaves the process. `outputs` is what the run before
 * has written down; with `leftAlone` those of that type and name stay as they were, as in a run with a target.
 */
export async function recordResources(
  outputs: object = {},
  leftAlone: (resource: AskedResource) => object | undefined = () => undefined,
): Promise<AskedResource[]> {
  const asked: AskedResource[] = [];
  await runtime.setMocks(
    {
      newResource({ type, name, inputs }) {
        if (type === STACK_REFERENCE) return { id: name, state: { ...inputs, outputs } };
        const resource = { type, name, inputs: inputs as Record<string, unknown> };
        asked.push(resource);
        const state = leftAlone(resource) ?? { name, ...inputs, ...addedByAzure(name) };
        return { id: `/${type}/${name}`, state };
      },
      call: ({ inputs }) => inputs as Record<string, unknown>,
    },
    'tandem',
    'test',
    false,
    'organization',
  );
  return asked;
}

/** Every identity has its own, and every run the same. */
function addedByAzure(name: string): Record<string, unknown> {
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return {
    principalId: `principal of ${name}`,
    clientId: `00000000-0000-4000-8000-${digits}`,
    oidcIssuerProfile: { issuerURL: `https://issuer.example.com/${name}` },
    identityProfile: { kubeletidentity: { objectId: `nodes of ${name}` } },
  };
}

export const jobsOf = (asked: readonly AskedResource[]) =>
  asked
    .filter(({ type }) => type === 'azure-native:app:Job')
    .sort((a, b) => a.name.localeCompare(b.name));

/** By name; which is asked for first depends on what is known first. */
export const appsOf = (asked: readonly AskedResource[]) =>
  asked
    .filter(({ type }) => type === 'azure-native:app:ContainerApp')
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ inputs }) => inputs as unknown as AppInputs);

export interface AppInputs {
  readonly configuration: { readonly ingress?: { readonly customDomains: readonly object[] } };
  readonly template: {
    readonly containers: readonly { readonly image: string }[];
    readonly scale: { readonly minReplicas: number };
  };
}

export const namesOf = (asked: readonly AskedResource[], type: string) =>
  asked.filter((one) => one.type === `azure-native:${type}`).map(({ name }) => name);
