import {
  NetworkRuleAction,
  NetworkRuleBypassOptions,
  PublicNetworkAccess,
  SkuFamily,
  SkuName,
  Vault,
} from '@pulumi/azure-native/keyvault/index.js';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

export interface RegionVault {
  readonly vault: Vault;
  readonly vaultName: string;
}

const SOFT_DELETE_DAYS = 90;

/** For the accounts of the Table endpoint, and the connection strings of a cluster that cannot use identities; empty otherwise. */
export function createVault(context: RegionContext): RegionVault {
  const vaultName = prefixOf(context);
  const vault = new Vault(`${vaultName}-vault`, {
    ...placeOf(context),
    vaultName,
    properties: {
      tenantId: context.tenantId,
      sku: { family: SkuFamily.A, name: SkuName.Standard },
      enableRbacAuthorization: true,
      enableSoftDelete: true,
      enablePurgeProtection: true,
      softDeleteRetentionInDays: SOFT_DELETE_DAYS,
      publicNetworkAccess: PublicNetworkAccess.Disabled,
      networkAcls: {
        defaultAction: NetworkRuleAction.Deny,
        // An environment of container apps fetches its certificate from outside of the network, as one of Azure's own.
        bypass:
          context.settings.platform === 'container-apps'
            ? NetworkRuleBypassOptions.AzureServices
            : NetworkRuleBypassOptions.None,
      },
    },
  });
  return { vault, vaultName };
}
