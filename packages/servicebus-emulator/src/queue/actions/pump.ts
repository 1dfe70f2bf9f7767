import type { StoredMessage } from '../../store/message-store.ts';
import type { Consumer } from '../consumers.ts';
import { createChange } from '../queue-change.ts';
import { isExpired, lockMessage, type QueueCore } from '../queue-core.ts';

interface Removal {
  readonly message: StoredMessage;
  readonly consumer: Consumer;
}

/** The next message that has not expired; expired ones are left to the sweep. */
function takeLive(core: QueueCore): StoredMessage | undefined {
  for (;;) {
    const message = core.ready.take();
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

function tellExhausted(core: QueueCore): void {
  for (const consumer of core.consumers.withCapacity()) consumer.exhausted();
}

/** Delivers what is ready to the consumers that have capacity, each in turn. */
export function pump(core: QueueCore): void {
  if (core.paused) {
    tellExhausted(core);
    return;
  }
  const removals: Removal[] = [];
  for (;;) {
    const consumer = core.consumers.next();
    if (consumer === undefined) break;
    const message = takeLive(core);
    if (message === undefined) {
      if (core.ready.hasMore()) void core.ready.refill().then(core.pump).catch(core.onFailure);
      else tellExhausted(core);
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
