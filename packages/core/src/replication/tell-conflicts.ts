import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import { encodeConflictMessages } from './encode-conflict.ts';
import type { PeerLink } from './peer-link.ts';

export interface TellOptions {
  readonly region: string;
  readonly conflicts: Pick<ConflictJournal, 'untold' | 'told'>;
  readonly links: readonly PeerLink[];
  readonly clock: Clock;
}

const CONFLICTS_PER_ROUND = 100;
/** Of one pass: what is left waits for the next one. */
const ROUNDS_MAX = 20;

/**
 * Tells every peer that can be reached of the conflicts that were found here. With three regions each may
 * meet the same transactions in other pairs, or as one state that another region has merged: only the
 * regions together find everything. Resolves with the number told, over all peers.
 */
export async function tellConflicts(options: TellOptions): Promise<number> {
  const counts = await Promise.all(options.links.map((link) => tellPeer(link, options)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function tellPeer(
  link: PeerLink,
  { region, conflicts, clock }: TellOptions,
): Promise<number> {
  let count = 0;
  for (let round = 0; round < ROUNDS_MAX && link.isOpen(); round += 1) {
    const untold = await conflicts.untold(link.peer, CONFLICTS_PER_ROUND);
    if (untold.length === 0) break;
    const bodies = encodeConflictMessages(
      region,
      untold.map(({ conflict }) => conflict),
    );
    const messages = bodies.map((body, index) => ({
      messageId: `conflicts/${region}/${clock.nowMs()}.${round}.${index}`,
      subject: 'watermark' as const,
      body,
    }));
    if ((await link.publish(messages)) !== 'accepted') break;
    await conflicts.told(link.peer, untold);
    count += untold.length;
    if (untold.length < CONFLICTS_PER_ROUND) break;
  }
  return count;
}
