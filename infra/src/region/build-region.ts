import type { Workspace } from '@pulumi/azure-native/operationalinsights/index.js';
import { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import type { Output } from '@pulumi/pulumi';
import { grant } from '../access/grant.ts';
import type { DeploymentSettings, RegionSettings } from '../settings/deployment-settings.ts';
import { createData, type RegionData } from './data.ts';
import { createIdentities, type RegionIdentities } from './identities.ts';
import { createLogs } from './logs.ts';
import { createNetwork, linkPrivately, type RegionNetwork } from './network.ts';
import { prefixOf, type RegionContext } from './region-context.ts';

export interface Region {
  readonly context: RegionContext;
  readonly network: RegionNetwork;
  readonly data: RegionData;
  readonly identities: RegionIdentities;
  readonly logs: Workspace;
}

export interface RegionOptions {
  readonly settings: DeploymentSettings;
  readonly region: RegionSettings;
  readonly index: number;
  readonly tenantId: Output<string>;
}

/** Everything of a region that does not depend on another region. */
export function buildRegion(options: RegionOptions): Region {
  const { settings, region } = options;
  const group = new ResourceGroup(`${prefixOf(options)}-group`, {
    location: region.location,
    tags: { product: settings.project, region: region.name },
  });
  const context = { ...options, group };
  const network = createNetwork(context);
  const data = createData(context);
  const identities = createIdentities(context);
  linkPrivately(context, network, {
    name: 'vault',
    service: 'vault',
    resourceIds: { own: data.vault.id },
  });
  grantOwn({ context, data, identities });
  return { context, network, data, identities, logs: createLogs(context, data) };
}

/** What the services may do in their own region. */
function grantOwn({ context, data, identities }: Pick<Region, 'context' | 'data' | 'identities'>) {
  const prefix = prefixOf(context);
  const { customerApi, replicator, secrets, scaler, tableEndpoint } = identities;
  grant({
    name: `${prefix}-customer-api-tables`,
    principalId: customerApi.principalId,
    role: 'storageTableDataContributor',
    scope: data.account.id,
  });
  grant({
    name: `${prefix}-table-endpoint-tables`,
    principalId: tableEndpoint.principalId,
    role: 'storageTableDataContributor',
    scope: data.account.id,
  });
  grant({
    name: `${prefix}-replicator-tables`,
    principalId: replicator.principalId,
    role: 'storageTableDataContributor',
    scope: data.account.id,
  });
  grant({
    name: `${prefix}-replicator-receives`,
    principalId: replicator.principalId,
    role: 'serviceBusDataReceiver',
    scope: data.queue.id,
  });
  // The length of a queue is told only to whoever may manage it, so the scaler gets that right on
  // this one queue, and the services do not.
  grant({
    name: `${prefix}-scaler-counts`,
    principalId: scaler.principalId,
    role: 'serviceBusDataOwner',
    scope: data.queue.id,
  });
  grant({
    name: `${prefix}-secrets-read`,
    principalId: secrets.principalId,
    role: 'keyVaultSecretsUser',
    scope: data.vault.id,
  });
}
