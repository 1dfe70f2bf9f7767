import type { IncomingMessage } from '../../message/read-message.ts';
import { createChange, type MessageDraft } from '../queue-change.ts';
import type { QueueCore } from '../queue-core.ts';
import { sizeBytesMax } from '../queue-properties.ts';

export type SendOutcome =
  | { readonly kind: 'accepted'; readonly sequenceNumbers: readonly number[] }
  | { readonly kind: 'quota-exceeded'; readonly sizeBytes: number; readonly sizeBytesMax: number };

function toDraft(core: QueueCore, message: IncomingMessage, nowMs: number): MessageDraft {
  const own = message.timeToLiveMs ?? Number.POSITIVE_INFINITY;
  const timeToLiveMs = Math.min(own, core.properties.defaultTimeToLiveMs);
  const expires = Number.isFinite(timeToLiveMs);
  return {
    state: 'active',
    enqueuedAtMs: nowMs,
    dueAtMs: expires ? Math.floor(nowMs + timeToLiveMs) : undefined,
    timeToLiveMs: expires ? timeToLiveMs : undefined,
    deliveryCount: 0,
    deadLetterSource: undefined,
    annotations: message.annotations,
    payload: message.payload,
  };
}

/** Adds the messages, all or none, in order. Resolves after they are committed. */
export async function send(
  core: QueueCore,
  messages: readonly IncomingMessage[],
): Promise<SendOutcome> {
  const limit = sizeBytesMax(core.properties);
  const { sizeBytes } = core.counters;
  if (sizeBytes >= limit) return { kind: 'quota-exceeded', sizeBytes, sizeBytesMax: limit };
  const nowMs = core.clock.nowMs();
  const change = createChange();
  const added = messages.map((message) => change.append(core, toDraft(core, message, nowMs)));
  for (const { dueAtMs } of added) if (dueAtMs !== undefined) core.dueAlarm.ringAt(dueAtMs);
  await change.commit();
  return { kind: 'accepted', sequenceNumbers: added.map((message) => message.sequenceNumber) };
}
