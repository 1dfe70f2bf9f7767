import {
  Bypass,
  DefaultAction,
  Kind,
  MinimumTlsVersion,
  PublicNetworkAccess,
  SkuName,
  StorageAccount,
} from '@pulumi/azure-native/storage/index.js';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

export interface RegionTables {
  readonly account: StorageAccount;
  readonly accountUrl: string;
}

/** A zone-redundant account that no key opens and no public address reaches. */
export function createTables(context: RegionContext): RegionTables {
  const accountName = `${context.settings.project}${context.region.name}`;
  const account = new StorageAccount(`${prefixOf(context)}-account`, {
    ...placeOf(context),
    accountName,
    kind: Kind.StorageV2,
    sku: { name: SkuName.Standard_ZRS },
    minimumTlsVersion: MinimumTlsVersion.TLS1_2,
    enableHttpsTrafficOnly: true,
    allowSharedKeyAccess: false,
    allowBlobPublicAccess: false,
    allowCrossTenantReplication: false,
    isLocalUserEnabled: false,
    defaultToOAuthAuthentication: true,
    publicNetworkAccess: PublicNetworkAccess.Disabled,
    networkRuleSet: { defaultAction: DefaultAction.Deny, bypass: Bypass.None },
  });
  return { account, accountUrl: `https://${accountName}.table.core.windows.net` };
}
