import { grant } from '../access/grant.ts';
import type { Region } from './build-region.ts';
import { linkPrivately } from './network.ts';
import { prefixOf } from './region-context.ts';

/**
 * What a region may do in the others: send to their queues, and nothing else. With the Premium tier
 * every region reaches every namespace by an address of its own network; where there are operators, every account, too,
 * whose roles nobody but they have.
 */
export function joinRegions(regions: readonly Region[]): void {
  for (const own of regions) {
    const peers = regions.filter((region) => region !== own);
    for (const peer of peers) grantSending(own, peer);
    const { operators } = own.context.settings;
    linkPrivately(own.context, own.network, {
      name: 'tables',
      service: 'table',
      resourceIds: {
        own: own.data.account.id,
        ...(operators &&
          Object.fromEntries(
            peers.map(({ context, data }) => [context.region.name, data.account.id]),
          )),
      },
    });
    for (const region of regions) grantOperating(own, region);
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

/** Dead letters are counted, and queues inspected, by who may manage the queue alone: no role on it only looks. */
const OPERATING = [
  ['operator', 'storageTableDataContributor', 'account'],
  ['operator', 'serviceBusDataOwner', 'queue'],
  ['viewer', 'storageTableDataReader', 'account'],
] as const;

function grantOperating(own: Region, region: Region): void {
  for (const [name, role, resource] of OPERATING) {
    const identity = own.identities[name];
    if (identity === undefined) continue;
    grant({
      name: `${prefixOf(own.context)}-${name}-${resource}-of-${region.context.region.name}`,
      principalId: identity.principalId,
      role,
      scope: region.data[resource].id,
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
