import type { StoredMessage } from '../../store/message-store.ts';
import { isExpired, type QueueCore } from '../queue-core.ts';

/** The service answers with at most this much, too, whatever count is asked for. */
const PEEK_MESSAGES_MAX = 250;
const PEEK_BYTES_MAX = 1024 * 1024;

export interface PeekOptions {
  readonly fromSequenceNumber: number;
  readonly messagesMax: number;
  /** Only the messages of this session. */
  readonly sessionId?: string | undefined;
}

/** Messages of every state in order of sequence number, without those that have expired. */
export async function peek(core: QueueCore, options: PeekOptions): Promise<StoredMessage[]> {
  const messagesMax = Math.min(options.messagesMax, PEEK_MESSAGES_MAX);
  const { sessionId } = options;
  let { fromSequenceNumber } = options;
  const found: StoredMessage[] = [];
  for (;;) {
    const page = await core.store.scan({
      queueId: core.id,
      fromSequenceNumber,
      messagesMax,
      bytesMax: PEEK_BYTES_MAX,
    });
    const live = page.filter((m) => m.state === 'scheduled' || !isExpired(core, m));
    found.push(...live.filter((m) => sessionId === undefined || m.sessionId === sessionId));
    const last = page.at(-1);
    if (found.length > 0 || last === undefined) return found.slice(0, messagesMax);
    fromSequenceNumber = last.sequenceNumber + 1;
  }
}
