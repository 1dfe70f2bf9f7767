import { believedPeer, type Clock, type PeerLink } from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import type {
  ObservedReceiver,
  ObservedStatus,
  ObservedSweeper,
} from '../observe/observed-ports.ts';
import type { Duty } from './duty.ts';

export interface StatusLogDutyOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
  readonly links: readonly Pick<PeerLink, 'peer' | 'isReachable'>[];
  readonly status: Pick<ObservedStatus, 'lastBeat'>;
  readonly sweeper: Pick<ObservedSweeper, 'owedSinceMs'>;
  readonly receiver: Pick<ObservedReceiver, 'lastSeen'>;
}

const INTERVAL_MS = 60_000;
const STALL_MS = 300_000;

/**
 * Writes a line a minute, which alerts are made from: lag, age of the outbox, dead letters. A peer
 * that was never heard of lags since this process began; a figure is never flattering (I11).
 */
export function createStatusLogDuty(options: StatusLogDutyOptions): Duty {
  const { clock, logger, links, status, sweeper, receiver } = options;
  const startedMs = clock.nowMs();
  return {
    name: 'status-log',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: STALL_MS,
    async turn() {
      const nowMs = clock.nowMs();
      const ageMs = (sinceMs: number) => Math.max(0, nowMs - sinceMs);
      const beat = status.lastBeat();
      const peers = links.map(({ peer, isReachable }) => {
        const told = beat?.peers.find((one) => one.peer === peer);
        const passedMs = told && believedPeer(told, { nowMs }).passedMs;
        return { peer, reachable: isReachable(), lagMs: ageMs(passedMs ?? startedMs) };
      });
      const owedSinceMs = sweeper.owedSinceMs();
      logger.info(
        {
          event: 'replication-status',
          lagMsMax: Math.max(0, ...peers.map(({ lagMs }) => lagMs)),
          outboxAgeMs: owedSinceMs === undefined ? null : ageMs(owedSinceMs),
          deadLetterCount: receiver.lastSeen().deadLetters ?? null,
          peers,
        },
        'How far this region and its peers are behind each other.',
      );
    },
  };
}
