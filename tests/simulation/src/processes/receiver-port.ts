import type { ChangeReceiver, InboundMessage } from '@tandem/core';
import type { CallFault } from '../faults/fault-kinds.ts';
import type { Draw } from '../world/draw.ts';
import type { Namespace } from '../world/namespace.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Incarnation } from './incarnation.ts';
import { fromNextWire } from './next-build.ts';
import { BUS_DEADLINE_MS, busError } from './publisher-port.ts';

export interface ReceiverPortOptions {
  readonly incarnation: Incarnation;
  readonly namespace: Namespace;
  readonly draw: Draw;
  readonly scheduler: Scheduler;
  /** True once the region runs the next build. */
  readonly isUpgraded: () => boolean;
  /** Told of what is dead-lettered. */
  readonly onDeadLettered: (message: InboundMessage, reason: string) => void;
}

/** The region's own queue, as one replicator receives from it. */
export function createReceiverPort(options: ReceiverPortOptions): ChangeReceiver {
  const { incarnation, namespace, draw, scheduler } = options;
  const queue = namespace.bus.receiverFor(namespace.queue);
  // Received by the client library, not yet by the process; their locks run.
  let held: InboundMessage[] = [];
  // The queue knows a delivery by the very object that it gave out.
  const givenOut = new WeakMap<InboundMessage, InboundMessage>();
  const read = (message: InboundMessage): InboundMessage => {
    if (!options.isUpgraded()) return message;
    const own = fromNextWire(message);
    givenOut.set(own, message);
    return own;
  };
  const original = (message: InboundMessage): InboundMessage => givenOut.get(message) ?? message;

  const call = <T>(
    site: string,
    kind: 'receive' | 'settle' | 'renew' | 'peek',
    perform: (fault: CallFault | undefined, key: string) => Promise<T>,
  ): Promise<T> =>
    incarnation.call({
      site,
      call: kind,
      perform,
      errorOf: busError,
      surroundings: () => (namespace.outages > 0 ? 'unavailable' : undefined),
      freezers: [namespace.freezer],
      deadlineMs: BUS_DEADLINE_MS,
    });

  const receive = async (
    bounds: { countMax: number; waitMsMax: number; signal: AbortSignal },
    fault: CallFault | undefined,
    key: string,
  ): Promise<InboundMessage[]> => {
    if (incarnation.slot.silentUntilMs > scheduler.nowMs()) {
      await scheduler.sleep(bounds.waitMsMax);
      return [];
    }
    const early = held.splice(0, bounds.countMax);
    if (early.length > 0) return early;
    const taken = await queue.receive(bounds.countMax, bounds.waitMsMax, bounds.signal);
    const order = (message: InboundMessage): number =>
      draw.fraction(`${key}.${message.sequenceNumber}`);
    if (fault === 'reordered') taken.sort((a, b) => order(a) - order(b));
    if (fault === 'held-back' && taken.length > 1) {
      held = taken.splice(draw.integer(`${key}.held`, [0, taken.length - 1]));
    }
    return taken;
  };

  return {
    // The process passes its own signal, which is the one that its death aborts.
    receive: (countMax, waitMsMax, signal = incarnation.signal) =>
      call('receive.receive', 'receive', async (fault, key) =>
        (await receive({ countMax, waitMsMax, signal }, fault, key)).map(read),
      ),
    settle: (message, settlement) =>
      call(`receive.settle.${settlement.kind}`, 'settle', async (fault) => {
        if (settlement.kind === 'dead-letter') options.onDeadLettered(message, settlement.reason);
        return fault === 'lock-lost' ? 'lock-lost' : queue.settle(original(message), settlement);
      }),
    renewLock: (message) =>
      call('receive.renew', 'renew', async (fault) =>
        fault === 'lock-lost' ? 'lock-lost' : queue.renewLock(original(message)),
      ),
    oldestMessage: () => call('heartbeat.oldest', 'peek', () => queue.oldestMessage()),
    countDeadLetters: (countMax) =>
      call('heartbeat.dead-letters', 'peek', () => queue.countDeadLetters(countMax)),
    close: () => Promise.resolve(),
  };
}
