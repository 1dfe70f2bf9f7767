import { grant } from '../access/grant.ts';
import type { Region } from './build-region.ts';
import { linkPrivately } from './network.ts';
import { prefixOf } from './region-context.ts';

/**
 * What a region may do in the others: send to their queues, and nothing else. With the Premium tier
 * every region reaches every namespace by an address of its own network.
 */
export function joinRegions(regions: readonly Region[]): void {
  for (const own of regions) {
    const peers = regions.filter((region) => region !== own);
    for (const peer of peers) grantSending(own, peer);
    if (own.context.settings.serviceBusTier !== 'Premium') continue;
    linkPrivately(own.context, own.network, {
      name: 'namespaces',
      service: 'namespace',
      resourceIds: Object.fromEntries(
        regions.map(({ context, data }) => [context.region.name, data.namespace.id]),
      ),
    });
  }
}

function grantSending(own: Region, peer: Region): void {
  for (const sender of ['customerApi', 'replicator', 'tableEndpoint'] as const) {
    grant({
      name: `${prefixOf(own.context)}-${sender}-sends-to-${peer.context.region.name}`,
      principalId: own.identities[sender].principalId,
      role: 'serviceBusDataSender',
      scope: peer.data.queue.id,
    });
  }
}
