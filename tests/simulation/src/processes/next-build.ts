import {
  type InboundMessage,
  type MessageSubject,
  NEWEST_WIRE_VERSION,
  type OutboundMessage,
} from '@tandem/core';
import type { Namespace } from '../world/namespace.ts';
import type { World } from '../world/world.ts';

/**
 * A rolling upgrade: from some time on the processes of a region are of a next build, which writes a
 * newer wire version and reads both. It is played at the edge of the queue, where the difference
 * shows: a region that is not upgraded yet must set such messages aside, not misread them.
 */
const NEXT_WIRE_VERSION = NEWEST_WIRE_VERSION + 1;
const OWN = /^\{"wire":(\d),/;
const NEXT = new RegExp(`^\\{"wire":${NEXT_WIRE_VERSION},"was":(\\d),`);
const BETWEEN_REGIONS_MS = 9_000;
const LOOK_AGAIN_MS = 5_000;

export function isUpgraded({ plan, scheduler }: World, region: string): boolean {
  if (plan.upgradeMs === undefined) return false;
  const place = plan.regions.indexOf(region);
  return scheduler.nowMs() >= plan.startMs + plan.upgradeMs + place * BETWEEN_REGIONS_MS;
}

export function toNextWire(message: OutboundMessage): OutboundMessage {
  if (message.subject !== 'change-set') return message;
  return {
    ...message,
    body: replaced(message.body, OWN, `{"wire":${NEXT_WIRE_VERSION},"was":$1,`),
  };
}

export function fromNextWire(message: InboundMessage): InboundMessage {
  return { ...message, body: fromNextWireBody(message.body) };
}

export function fromNextWireBody(body: Uint8Array): Uint8Array {
  return replaced(body, NEXT, '{"wire":$1,');
}

/**
 * An operator, who from now on looks again and again for what was too new for a region that has been upgraded
 * since, or for a store that has been mended since, and puts it back: each letter once, since one that was put back
 * too early is dead again, and in time, since what is older than every tombstone is refused for good. Where a table moves he
 * throws away what nobody can read: while it lies there its region does not say that it has all, for which the move waits.
 */
export function startResubmitting(world: World): void {
  const { regions, situations, scheduler, resubmitted, plan } = world;
  const look = (): void => {
    for (const { name, namespace } of regions) {
      const { bus, queue } = namespace;
      if (plan.migration?.movesOn === true) throwPoisonAway(world, namespace);
      const letters = new Map<string, number>();
      for (const letter of bus.deadLettersOf(queue)) {
        const { messageId, subject, body } = fromNextWire(letter);
        const count = (letters.get(messageId) ?? 0) + 1;
        letters.set(messageId, count);
        const key = count === 1 ? `${queue} ${messageId}` : `${queue} ${messageId} ${count}`;
        if (!isAside(letter) || resubmitted.has(key)) continue;
        resubmitted.add(key);
        situations.note('dead-letter-resubmitted');
        void bus
          .publisherFor(name, queue)
          .publish([{ messageId, subject: subject as MessageSubject, body }]);
      }
    }
    scheduler.schedule(LOOK_AGAIN_MS, look);
  };
  look();
}

function throwPoisonAway({ poison }: World, { bus, queue }: Namespace): void {
  const letters = bus
    .deadLettersOf(queue)
    .filter(({ messageId, reason }) => poison.expected.get(queue)?.get(messageId) === reason);
  if (letters.length === 0) return;
  for (const { messageId } of letters) poison.thrownAway.add(`${queue} ${messageId}`);
  const numbers = new Set(letters.map(({ sequenceNumber }) => sequenceNumber));
  void bus.viewerFor(queue).settle(numbers, 'discard');
}

/** True for what was set aside because of the upgrade, or of a store that failed for it alone, and for no poison. */
export function isAside({
  reason,
  messageId,
}: {
  readonly messageId: string;
  readonly reason: string;
}): boolean {
  if (reason === 'CHANGE_TOO_NEW') return messageId.includes('/');
  return reason === 'ENTITY_UNSTORABLE' || reason === 'ROW_MALFORMED';
}

function replaced(body: Uint8Array, from: RegExp, to: string): Uint8Array {
  const text = Buffer.from(body).toString('utf8');
  return from.test(text) ? new TextEncoder().encode(text.replace(from, to)) : body;
}
