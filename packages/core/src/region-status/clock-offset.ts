import type { Clock } from '../ports/clock.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';

const POLL_MS = 100;
/** A heartbeat comes every second, more or less. */
const POLLS_MAX = 25;

/**
 * How far the clock of a region's replicator is ahead of ours, in milliseconds, to about the time of
 * a poll: read off a heartbeat that was written between two looks. Undefined when none comes.
 */
export async function measureClockOffset(
  status: Pick<ReplicationStatus, 'read'>,
  clock: Clock,
): Promise<number | undefined> {
  const first = (await status.read())?.heartbeatMs;
  if (first === undefined) return undefined;
  for (let poll = 1; poll <= POLLS_MAX; poll += 1) {
    const beforeMs = clock.nowMs();
    await clock.sleep(POLL_MS);
    const heartbeatMs = (await status.read())?.heartbeatMs;
    if (heartbeatMs === undefined) return undefined;
    if (heartbeatMs !== first) return heartbeatMs - Math.round((beforeMs + clock.nowMs()) / 2);
  }
  return undefined;
}
