import type { ChangeReceiver, InboundMessage } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';

export interface LockRenewal {
  readonly messages: readonly InboundMessage[];
  readonly receiver: Pick<ChangeReceiver, 'renewLock'>;
  readonly clock: Clock;
  readonly everyMs: number;
}

/**
 * Renews the locks of `messages` until `work` ends. A lock that is lost all the same, or a bus that
 * does not answer, only means that the message comes again, so neither interrupts the work.
 */
export async function withLocksRenewed(
  { messages, receiver, clock, everyMs }: LockRenewal,
  work: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const renewing = (async () => {
    for (;;) {
      await clock.sleep(everyMs, ended.signal);
      if (ended.signal.aborted) return;
      await Promise.allSettled(messages.map((message) => receiver.renewLock(message)));
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await renewing;
  }
}
