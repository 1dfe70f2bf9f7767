import type { StoredMessage } from '../../store/message-store.ts';
import type { Consumer } from '../consumers.ts';
import { createChange, isExpired, lockMessage, type QueueCore } from '../queue-core.ts';

/** Messages in order and who shares them: the queue's own, or one session's. */
type Lane = Pick<QueueCore, 'ready' | 'consumers'>;

interface Removal {
  readonly message: StoredMessage;
  readonly consumer: Consumer;
}

/** The next message that has not expired; expired ones are left to the sweep. */
function takeLive(core: QueueCore, lane: Lane): StoredMessage | undefined {
  for (;;) {
    const message = lane.ready.take();
    if (message === undefined || !isExpired(core, message)) return message;
    core.dueAlarm.ringAt(core.clock.nowMs());
  }
}

/** Receive-and-delete: the removal is committed before the message leaves. */
async function deliverRemoved(core: QueueCore, removals: readonly Removal[]): Promise<void> {
  const change = createChange();
  for (const { message } of removals) {
    core.settling.add(message.sequenceNumber);
    change.remove(core, message);
  }
  await change.commit();
  for (const { message, consumer } of removals) {
    core.settling.delete(message.sequenceNumber);
    consumer.deliverRemoved(message);
  }
}

function tellExhausted(lane: Lane): void {
  for (const consumer of lane.consumers.withCapacity()) consumer.exhausted();
}

function pumpLane(core: QueueCore, lane: Lane): void {
  if (core.paused) {
    tellExhausted(lane);
    return;
  }
  const removals: Removal[] = [];
  for (;;) {
    const consumer = lane.consumers.next();
    if (consumer === undefined) break;
    const message = takeLive(core, lane);
    if (message === undefined) {
      if (lane.ready.hasMore()) void lane.ready.refill().then(core.pump).catch(core.onFailure);
      else tellExhausted(lane);
      break;
    }
    if (consumer.mode === 'peek-lock') consumer.deliverLocked(lockMessage(core, message));
    else {
      consumer.reserve();
      removals.push({ message, consumer });
    }
  }
  if (removals.length > 0) void deliverRemoved(core, removals).catch(core.onFailure);
}

/** Delivers what is ready to the consumers that have capacity, each in turn. */
export function pump(core: QueueCore): void {
  if (core.sessions === undefined) pumpLane(core, core);
  else for (const session of core.sessions.held()) pumpLane(core, session);
}
