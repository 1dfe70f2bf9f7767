import {
  AppError,
  believedMs,
  believedPeer,
  type Heartbeat,
  type Notice,
  type PeerLink,
} from '@tandem/core';
import type { DutyHealth } from '../duties/run-duties.ts';
import type { ActivityCounts } from '../observe/activity.ts';
import type { QueueView } from '../observe/observed-receiver.ts';
import type { StatusAnswer } from '../schemas/status.ts';
import type { ProcessPhase } from './decide-health.ts';

/** All from memory, and each with what it is known from: nothing is asked for an answer. */
export interface StatusInput {
  readonly nowMs: number;
  readonly region: string;
  readonly phase: ProcessPhase;
  readonly links: readonly Pick<PeerLink, 'peer' | 'isReachable'>[];
  readonly lastBeat: Heartbeat | undefined;
  /** From when on something may be owed to the peer; not known where another process sweeps. */
  readonly owedToSinceMs: (peer: string) => number | undefined;
  readonly queue: QueueView | undefined;
  readonly duties: readonly DutyHealth[];
  readonly counts: ActivityCounts;
  readonly notices: readonly Notice[];
  readonly driftMsMax?: number | undefined;
}

/** What is not known is null, and never a figure that flatters (I11). */
export function describeStatus(input: StatusInput): StatusAnswer {
  const { nowMs, region, phase, lastBeat, queue, counts } = input;
  return {
    region,
    phase,
    peers: input.links.map((link) => {
      // Judged again: the clock may have been set since.
      const own = { nowMs, driftMsMax: input.driftMsMax };
      const told = lastBeat?.peers.find(({ peer }) => peer === link.peer);
      const believed = told && believedPeer(told, own);
      const passedMs = believed?.passedMs ?? null;
      const owedSinceMs = believedMs(input.owedToSinceMs(link.peer), own);
      return {
        peer: link.peer,
        reachable: link.isReachable(),
        passedMs,
        lagMs: passedMs === null ? null : nowMs - passedMs,
        outboxAgeMs: owedSinceMs === undefined ? null : nowMs - owedSinceMs,
      };
    }),
    backlog: queue?.isReachable === true ? (lastBeat?.hasBacklog ?? null) : null,
    catchingUpSinceMs: lastBeat?.catchingUpSinceMs ?? null,
    heartbeatMs: lastBeat?.nowMs ?? null,
    queue: {
      reachable: queue?.isReachable ?? null,
      oldestMessageAgeMs:
        queue?.oldestEnqueuedMs === undefined ? null : Math.max(0, nowMs - queue.oldestEnqueuedMs),
      deadLetterCount: queue?.deadLetters ?? null,
    },
    loops: input.duties.map(describeLoop),
    notices: [...input.notices],
    sinceStart: counts,
  };
}

function describeLoop(health: DutyHealth): StatusAnswer['loops'][number] {
  const { lastError } = health;
  return {
    name: health.duty.name,
    running: health.isRunning,
    lastSuccessMs: health.lastSuccessMs ?? null,
    lastFailureMs: health.lastFailureMs ?? null,
    // The code alone: a message may name what does not belong on an open port.
    lastErrorCode:
      lastError === undefined
        ? null
        : lastError instanceof AppError
          ? lastError.code
          : 'UNEXPECTED',
    failureCount: health.failureCount,
    consecutiveFailureCount: health.consecutiveFailureCount,
  };
}
