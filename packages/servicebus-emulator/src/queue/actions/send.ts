import { type IncomingMessage, readProperty } from '../../message/message-codec.ts';
import {
  createChange,
  type MessageDraft,
  type QueueChange,
  type QueueCore,
} from '../queue-core.ts';
import { sizeBytesMax } from '../queue-properties.ts';
import { encodeTime } from '../seen-messages.ts';

/** The service's limit for the ids of messages and sessions, in characters. */
const ID_LENGTH_MAX = 128;
const DUPLICATE = 0;

export interface QuotaExceeded {
  readonly kind: 'quota-exceeded';
  readonly sizeBytes: number;
  readonly sizeBytesMax: number;
}

/** Finds that a queue is as large as it may be: it takes nothing then. */
export function findQuotaExceeded({ properties, counters }: QueueCore): QuotaExceeded | undefined {
  const { sizeBytes } = counters;
  const limit = sizeBytesMax(properties);
  return sizeBytes < limit ? undefined : { kind: 'quota-exceeded', sizeBytes, sizeBytesMax: limit };
}

export type SendOutcome =
  | { readonly kind: 'accepted'; readonly sequenceNumbers: readonly number[] }
  /** The queue requires sessions and a message has none, or the id of one is too long. */
  | { readonly kind: 'session-missing' }
  | { readonly kind: 'session-id-too-long' }
  | QuotaExceeded;

function toDraft(core: QueueCore, message: IncomingMessage, nowMs: number): MessageDraft {
  const own = message.timeToLiveMs ?? Number.POSITIVE_INFINITY;
  const timeToLiveMs = Math.min(own, core.properties.defaultTimeToLiveMs);
  const expires = Number.isFinite(timeToLiveMs);
  const { scheduledAtMs } = message;
  const isScheduled = scheduledAtMs !== undefined && scheduledAtMs > nowMs;
  const startMs = isScheduled ? scheduledAtMs : nowMs + timeToLiveMs;
  return {
    state: isScheduled ? 'scheduled' : 'active',
    enqueuedAtMs: nowMs,
    dueAtMs: isScheduled || expires ? Math.floor(startMs) : undefined,
    timeToLiveMs: expires ? timeToLiveMs : undefined,
    deliveryCount: 0,
    durable: message.durable,
    priority: message.priority,
    sessionId: message.sessionId,
    annotations: message.annotations,
    payload: message.payload,
  };
}

function findSessionProblem(core: QueueCore, messages: readonly IncomingMessage[]) {
  const ids = messages.map((message) => message.sessionId);
  if (ids.some((id) => (id?.length ?? 0) > ID_LENGTH_MAX)) return 'session-id-too-long';
  const isMissing = core.sessions !== undefined && ids.includes(undefined);
  return isMissing ? 'session-missing' : undefined;
}

/** Returns true when a message of that id was sent within the queue's window; else remembers the id. */
function isDuplicate(core: QueueCore, change: QueueChange, { payload }: IncomingMessage): boolean {
  if (core.seen === undefined) return false;
  const messageId = readProperty(payload, 'messageId');
  if (messageId === undefined) return false;
  if (core.seen.has(messageId)) return true;
  const untilMs = core.clock.nowMs() + core.properties.duplicateDetectionWindowMs;
  core.seen.add(messageId, untilMs);
  change.note(core, { kind: 'seen-message', name: messageId }, encodeTime(untilMs));
  for (const name of core.seen.takeOutdated()) {
    change.note(core, { kind: 'seen-message', name }, undefined);
  }
  return false;
}

/**
 * Adds the messages, all or none, in order, without those that are duplicates, whose number is 0.
 * Resolves after they are committed.
 */
export async function send(
  core: QueueCore,
  messages: readonly IncomingMessage[],
): Promise<SendOutcome> {
  const full = findQuotaExceeded(core);
  if (full !== undefined) return full;
  const problem = findSessionProblem(core, messages);
  if (problem !== undefined) return { kind: problem };
  const nowMs = core.clock.nowMs();
  const change = createChange();
  const sequenceNumbers: number[] = [];
  for (const message of messages) {
    const isKnown = isDuplicate(core, change, message);
    const added = isKnown ? undefined : change.append(core, toDraft(core, message, nowMs));
    if (added?.dueAtMs !== undefined) core.dueAlarm.ringAt(added.dueAtMs);
    sequenceNumbers.push(added?.sequenceNumber ?? DUPLICATE);
  }
  await change.commit();
  return { kind: 'accepted', sequenceNumbers };
}
