import type { StoredMessage } from '../../store/message-store.ts';
import { createChange } from '../queue-change.ts';
import { isExpired, type QueueCore } from '../queue-core.ts';
import type { ReadyMessages } from '../ready-messages.ts';

/** The service deletes at most this many at once. */
export const DELETE_BATCH_MAX = 4_000;

export interface DeleteBatchRequest {
  readonly enqueuedBeforeMs: number;
  readonly messagesMax: number;
  /** Which session's messages, for a queue that has sessions. */
  readonly sessionId: string | undefined;
}

function readyOf(core: QueueCore, sessionId: string | undefined): ReadyMessages | undefined {
  if (core.sessions === undefined) return core.ready;
  return sessionId === undefined ? undefined : core.sessions.find(sessionId)?.ready;
}

/** Takes the oldest messages that nobody holds, up to the first that is too young. */
async function takeOldest(
  core: QueueCore,
  ready: ReadyMessages,
  { enqueuedBeforeMs, messagesMax }: DeleteBatchRequest,
): Promise<StoredMessage[]> {
  const taken: StoredMessage[] = [];
  while (taken.length < messagesMax) {
    const message = ready.take();
    if (message === undefined) {
      if (!ready.hasMore()) break;
      await ready.refill();
    } else if (isExpired(core, message)) core.dueAlarm.ringAt(core.clock.nowMs());
    else if (message.enqueuedAtMs < enqueuedBeforeMs) {
      core.settling.add(message.sequenceNumber);
      taken.push(message);
    } else {
      ready.putBack(message);
      break;
    }
  }
  return taken;
}

/** Deletes messages without delivering them. Resolves to how many, after that is committed. */
export async function deleteBatch(core: QueueCore, request: DeleteBatchRequest): Promise<number> {
  const ready = readyOf(core, request.sessionId);
  if (ready === undefined) return 0;
  const messages = await takeOldest(core, ready, request);
  const change = createChange();
  for (const message of messages) change.remove(core, message);
  await change.commit();
  for (const { sequenceNumber } of messages) core.settling.delete(sequenceNumber);
  return messages.length;
}
