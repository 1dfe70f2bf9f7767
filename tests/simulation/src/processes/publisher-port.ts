import {
  type AppError,
  type ChangePublisher,
  type OutboundMessage,
  readableSetsIn,
  TransientError,
} from '@tandem/core';
import type { CallFault } from '../faults/fault-kinds.ts';
import { drawsRowFaults } from '../faults/nemesis-plan.ts';
import type { PoisonLog } from '../faults/poison.ts';
import { spoilMessage } from '../faults/spoil-message.ts';
import { fragmentHeadIn } from '../observe/cut-sets.ts';
import type { Draw } from '../world/draw.ts';
import { type Link, linkFault } from '../world/links.ts';
import type { Namespace } from '../world/namespace.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Incarnation } from './incarnation.ts';
import { fromNextWireBody, toNextWire } from './next-build.ts';

export interface PublisherPortOptions {
  readonly incarnation: Incarnation;
  readonly namespace: Namespace;
  readonly link: Link;
  readonly draw: Draw;
  readonly scheduler: Scheduler;
  readonly part: string;
  /** Kept of what the queue accepted, to be sent again by someone. */
  readonly sent: OutboundMessage[];
  /** Of the messages that it spoils. */
  readonly poison: PoisonLog;
  /** Told of the change sets that it accepted. */
  readonly onAccepted: (stamp: string) => void;
  /** True once the region runs the next build. */
  readonly isUpgraded: () => boolean;
}

/** What `packages/messaging` gives a call: `CALL_TIMEOUT_MS`. */
export const BUS_DEADLINE_MS = 10_000;

const SENT_KEPT_MAX = 200;
const AGAIN_MS = [1, 40_000] as const;

/** The queue of a peer, as one part of one process reaches it. */
export function createPublisherPort(options: PublisherPortOptions): ChangePublisher {
  const { incarnation, namespace, link, draw, scheduler, part, sent } = options;
  const queue = namespace.bus.publisherFor(link.to, namespace.queue);
  const publish = async (messages: readonly OutboundMessage[]): Promise<void> => {
    await queue.publish(messages);
    const fragments = messages.flatMap(({ body }) => fragmentHeadIn(body) ?? []);
    for (const [stamp, own] of Map.groupBy(fragments, (one) => one.stamp)) {
      if (own.length === own[0]?.of) options.onAccepted(stamp);
    }
    for (const { subject, body } of messages) {
      if (subject !== 'change-set') continue;
      for (const { stamp } of readableSetsIn(fromNextWireBody(body))) options.onAccepted(stamp);
    }
  };
  /** The first of the messages in bad company. */
  const spoil = (first: OutboundMessage, key: string): OutboundMessage => {
    const spoiled = spoilMessage(first, { id: key, isFirst: draw.chance(`${key}.first`, 0.5) });
    // What is set aside in company that nobody can read is not known for what can be resubmitted.
    if (spoiled === undefined || drawsRowFaults(draw)) return first;
    options.poison.note(namespace.queue, spoiled.messageId, 'CHANGE_UNDECODABLE');
    return spoiled;
  };
  return {
    peer: link.to,
    close: () => Promise.resolve(),
    publish(own) {
      const [first] = own;
      const outgoing = (all: readonly OutboundMessage[]): readonly OutboundMessage[] =>
        options.isUpgraded() ? all.map(toNextWire) : all;
      const messages = outgoing(own);
      return incarnation.call({
        site: `${part}.publish.${first?.subject ?? 'nothing'}`,
        call: 'publish',
        async perform(fault, key) {
          if (fault === 'partly-accepted') {
            const count = draw.integer(`${key}.accepted`, [0, messages.length - 1]);
            if (count > 0) await publish(messages.slice(0, count));
            throw busError('unavailable');
          }
          const isSpoiled = fault === 'spoiled' && first?.subject === 'change-set';
          await publish(isSpoiled ? outgoing([spoil(first, key), ...own.slice(1)]) : messages);
          if (first?.subject === 'change-set' && sent.length < SENT_KEPT_MAX) sent.push(first);
          if (fault !== 'duplicated') return;
          scheduler.schedule(draw.integer(`${key}.again`, AGAIN_MS), () => {
            void queue.publish(messages);
          });
        },
        errorOf(fault) {
          link.lastFaultMs = scheduler.nowMs();
          return busError(fault);
        },
        surroundings: () => (namespace.outages > 0 ? 'unavailable' : linkFault(link)),
        freezers: [link.freezer, namespace.freezer],
        deadlineMs: BUS_DEADLINE_MS,
        extraMs: () => link.clogMs,
      });
    },
  };
}

export function busError(fault: CallFault): AppError {
  return fault === 'throttled'
    ? new TransientError('BUS_THROTTLED', 'The queue is throttled.', { retryAfterMs: 500 })
    : new TransientError('BUS_UNAVAILABLE', 'The queue cannot be reached.');
}
