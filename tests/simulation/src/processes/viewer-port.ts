import {
  type DeadLetterLink,
  type MessageSubject,
  type QueuedMessage,
  type QueueLane,
  type QueueViewer,
  readableSetsIn,
  settleDeadLetters,
} from '@tandem/core';
import type { Namespace } from '../world/namespace.ts';
import type { Incarnation } from './incarnation.ts';
import { fromNextWireBody } from './next-build.ts';
import { BUS_DEADLINE_MS, busError } from './publisher-port.ts';

export interface ViewerPortOptions {
  readonly incarnation: Incarnation;
  readonly namespace: Namespace;
  /** Whose queue it is. */
  readonly region: string;
  readonly part: string;
  /** Peeking gives no more messages at a time, whatever is asked for. */
  readonly pageMax: number;
  /** Told of the change sets that are put back, which no watermark is behind any more. */
  readonly onResubmitted: (stamp: string) => void;
}

const BATCH_MAX = 3;

/** A region's own queue, as an operator looks at it: dead letters are settled by the shipping way, call by call. */
export function createViewerPort(options: ViewerPortOptions): QueueViewer {
  const { incarnation, namespace, region, part, pageMax } = options;
  const { bus, queue } = namespace;
  const viewer = bus.viewerFor(queue);
  const publisher = bus.publisherFor(region, queue);
  const call = <T>(
    what: string,
    kind: 'peek' | 'settle' | 'publish',
    perform: () => Promise<T>,
  ): Promise<T> =>
    incarnation.call({
      site: `${part}.${what}`,
      call: kind,
      perform: () => perform(),
      errorOf: busError,
      surroundings: () => (namespace.outages > 0 ? 'unavailable' : undefined),
      freezers: [namespace.freezer],
      deadlineMs: BUS_DEADLINE_MS,
    });

  // Operators are the first to be upgraded.
  const peek = async (lane: QueueLane, from: bigint, countMax: number): Promise<QueuedMessage[]> =>
    (await viewer.peek(lane, from, countMax)).map((one) => ({
      ...one,
      body: fromNextWireBody(one.body),
    }));

  const link = (): DeadLetterLink<QueuedMessage> => {
    const held = new Set<bigint>();
    return {
      receive: () =>
        call('letters.receive', 'peek', async () => {
          const all = await peek('dead-letters', 0n, Number.MAX_SAFE_INTEGER);
          const batch = all.filter((one) => !held.has(one.sequenceNumber)).slice(0, BATCH_MAX);
          for (const one of batch) held.add(one.sequenceNumber);
          return batch;
        }),
      numberOf: (one) => one.sequenceNumber,
      send: (letter, instead = letter) =>
        call('letters.send', 'publish', async () => {
          const { messageId, body } = instead;
          const subject = (letter.subject ?? '') as MessageSubject;
          for (const { stamp } of readableSetsIn(body)) options.onResubmitted(stamp);
          await publisher.publish([{ messageId, subject, body }]);
        }),
      complete: (one) =>
        call('letters.complete', 'settle', async () => {
          await viewer.settle(new Set([one.sequenceNumber]), 'discard');
        }),
      giveBack: async () => held.clear(),
    };
  };

  return {
    peek: (lane, from, countMax) =>
      call(`peek.${lane}`, 'peek', () => peek(lane, from, Math.min(countMax, pageMax))),
    setAside: (...asked) => call('set-aside', 'settle', () => viewer.setAside(...asked)),
    settle: (numbers, verdict) => settleDeadLetters(link(), numbers, verdict),
    replace: (replacements) =>
      settleDeadLetters(link(), new Set(replacements.keys()), replacements),
    close: () => Promise.resolve(),
  };
}
