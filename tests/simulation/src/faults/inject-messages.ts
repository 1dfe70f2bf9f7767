import {
  inflateChangeSet,
  type MessageSubject,
  type OutboundMessage,
  unpackChangeSets,
} from '@tandem/core';
import { fragmentHeadIn } from '../observe/cut-sets.ts';
import { fromNextWireBody } from '../processes/next-build.ts';
import type { World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { PoisonLog } from './poison.ts';

const REASONS = [
  'CHANGE_UNDECODABLE',
  'ENTITY_KIND_UNKNOWN',
  'CHANGE_TOO_NEW',
  'CHANGE_UNDECODABLE',
] as const;

/** Puts messages into a queue that nobody sends in good order: poison, and old ones again. */
export function injectMessages(event: NemesisEvent, world: World, poison: PoisonLog): void {
  const region = world.regions[event.target % world.regions.length];
  if (region === undefined) return;
  const { bus, queue } = region.namespace;
  const send = (message: OutboundMessage): void => {
    void bus.publisherFor(region.name, queue).publish([message]);
  };
  const sent = world.sentTo(region.name);
  const old = sent[Math.floor(event.amount * sent.length)];
  if (event.kind === 'resend-old') {
    if (old !== undefined) send({ ...old, messageId: `again ${old.messageId}` });
    return;
  }
  const which = event.target % REASONS.length;
  const reason = REASONS[which] ?? 'CHANGE_UNDECODABLE';
  const message = poisonOf(which, event.id, old);
  if (message === undefined) return;
  poison.note(queue, message.messageId, reason);
  send(message);
}

function poisonOf(
  which: number,
  messageId: string,
  old: OutboundMessage | undefined,
): OutboundMessage | undefined {
  const make = (subject: MessageSubject, text: string): OutboundMessage => ({
    messageId,
    subject,
    body: new TextEncoder().encode(text),
  });
  // Of a pack the first, which is then poison alone; of a fragment nothing can be told.
  const isWhole = old !== undefined && fragmentHeadIn(old.body) === undefined;
  const [set] = !isWhole ? [] : unpackChangeSets(fromNextWireBody(old.body));
  const change = (set && JSON.parse(new TextDecoder().decode(inflateChangeSet(set)))) as
    | object
    | undefined;
  switch (which) {
    case 0:
      return make('change-set', '{"no": "change"');
    case 1:
      return change && make('change-set', JSON.stringify({ ...change, entityKind: 'Unheard' }));
    case 2:
      return change && make('change-set', JSON.stringify({ ...change, wire: 99, more: true }));
    default:
      return make('watermark', '{"wire":1,"from":"nobody at all","timeMs":-1}');
  }
}
