import type { StoredMessage } from '../../store/message-store.ts';
import { createChange } from '../queue-change.ts';
import type { QueueCore } from '../queue-core.ts';

export type CancelOutcome =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'not-found'; readonly sequenceNumber: number };

/** Removes scheduled messages by number: all of them, or none when one is scheduled no longer. */
export async function cancelScheduled(
  core: QueueCore,
  numbers: readonly number[],
): Promise<CancelOutcome> {
  const messages: StoredMessage[] = [];
  for (const sequenceNumber of new Set(numbers)) {
    const message = await core.store.read(core.id, sequenceNumber);
    if (message === undefined) return { kind: 'not-found', sequenceNumber };
    messages.push(message);
  }
  // No await between this check and the marks: nothing else can take them in between.
  const missing = messages.find(
    ({ state, sequenceNumber }) => state !== 'scheduled' || core.settling.has(sequenceNumber),
  );
  if (missing !== undefined) return { kind: 'not-found', sequenceNumber: missing.sequenceNumber };
  const change = createChange();
  for (const message of messages) {
    core.settling.add(message.sequenceNumber);
    change.remove(core, message);
  }
  await change.commit();
  for (const { sequenceNumber } of messages) core.settling.delete(sequenceNumber);
  return { kind: 'cancelled' };
}
