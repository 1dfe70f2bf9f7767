import { type Clock, TerminalError } from '@tandem/core';
import type { CliRegion } from './cli-region.ts';
import { readPeerNames } from './read-peer-names.ts';

/**
 * A region that the others do not send to would fall behind the moment it is filled. Throws
 * `RECOVERY_REFUSED`, naming those that do not send to it.
 */
export async function requirePeersKnow(
  name: string,
  { sources, clock }: { readonly sources: readonly CliRegion[]; readonly clock: Clock },
): Promise<void> {
  const ignorant: string[] = [];
  for (const source of sources) {
    const peers = await readPeerNames(source, clock);
    if (!peers.includes(name)) ignorant.push(source.name);
  }
  if (ignorant.length === 0) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `${ignorant.join(', ')} do not send to ${name}: neither the replicator nor the Configuration there ` +
      `names it as a peer. Release them with ${name} in PEERS, or set Peers (tandem config set) and ` +
      'restart their services, then repeat this.',
  );
}
