import {
  Namespace,
  PublicNetworkAccess,
  Queue,
  SkuName,
  SkuTier,
  TlsVersion,
} from '@pulumi/azure-native/servicebus/index.js';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

export interface RegionBus {
  readonly namespace: Namespace;
  readonly namespaceHost: string;
  readonly queue: Queue;
}

/** As `ensureQueue` of @tandem/messaging makes it: messages stay until they are settled. */
const QUEUE = {
  lockDuration: 'PT1M',
  maxDeliveryCount: 2_000,
  deadLetteringOnMessageExpiration: true,
  enablePartitioning: false,
  requiresSession: false,
  defaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
} as const;

/** A namespace that no key opens, with the queue that this region receives from. */
export function createBus(context: RegionContext): RegionBus {
  const { settings } = context;
  const prefix = prefixOf(context);
  const isPremium = settings.serviceBusTier === 'Premium';
  const namespace = new Namespace(`${prefix}-namespace`, {
    ...placeOf(context),
    namespaceName: prefix,
    sku: isPremium
      ? { name: SkuName.Premium, tier: SkuTier.Premium, capacity: 1 }
      : { name: SkuName.Standard, tier: SkuTier.Standard },
    disableLocalAuth: true,
    minimumTlsVersion: TlsVersion.TlsVersion_1_2,
    // The Standard tier has no private endpoints.
    publicNetworkAccess: isPremium ? PublicNetworkAccess.Disabled : PublicNetworkAccess.Enabled,
  });
  const queue = new Queue(`${prefix}-queue`, {
    ...QUEUE,
    resourceGroupName: context.group.name,
    namespaceName: namespace.name,
    queueName: settings.queue,
  });
  return { namespace, namespaceHost: `${prefix}.servicebus.windows.net`, queue };
}
