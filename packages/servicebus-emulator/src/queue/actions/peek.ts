import type { StoredMessage } from '../../store/message-store.ts';
import { isExpired, type QueueCore } from '../queue-core.ts';

/** The service answers with at most this much, too, whatever count is asked for. */
const PEEK_MESSAGES_MAX = 250;
const PEEK_BYTES_MAX = 1024 * 1024;

export interface PeekOptions {
  readonly fromSequenceNumber: number;
  readonly messagesMax: number;
}

/** Messages of every state in order of sequence number, without those that have expired. */
export async function peek(core: QueueCore, options: PeekOptions): Promise<StoredMessage[]> {
  const messagesMax = Math.min(options.messagesMax, PEEK_MESSAGES_MAX);
  let { fromSequenceNumber } = options;
  for (;;) {
    const page = await core.store.scan({
      queueId: core.id,
      fromSequenceNumber,
      messagesMax,
      bytesMax: PEEK_BYTES_MAX,
    });
    const live = page.filter((m) => m.state === 'scheduled' || !isExpired(core, m));
    const last = page.at(-1);
    if (live.length > 0 || last === undefined) return live;
    fromSequenceNumber = last.sequenceNumber + 1;
  }
}
