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

/**
 * Returns messages of every state in order of sequence number, without those that have expired: as many as
 * were asked for, unless the queue or what an answer may hold ends before.
 */
export async function peek(core: QueueCore, options: PeekOptions): Promise<StoredMessage[]> {
  const messagesMax = Math.min(options.messagesMax, PEEK_MESSAGES_MAX);
  const { sessionId } = options;
  let { fromSequenceNumber } = options;
  const found: StoredMessage[] = [];
  let bytes = 0;
  for (;;) {
    // Of a session any number of other messages may lie between, so pages are as large as they may be.
    const page = await core.store.scan({
      queueId: core.id,
      fromSequenceNumber,
      messagesMax: sessionId === undefined ? messagesMax - found.length : PEEK_MESSAGES_MAX,
      bytesMax: PEEK_BYTES_MAX,
    });
    const live = page.filter((m) => m.state === 'scheduled' || !isExpired(core, m));
    for (const message of live) {
      if (sessionId !== undefined && message.sessionId !== sessionId) continue;
      bytes += message.payload.length;
      if (found.length > 0 && bytes > PEEK_BYTES_MAX) return found;
      found.push(message);
      if (found.length >= messagesMax) return found;
    }
    const last = page.at(-1);
    if (last === undefined) return found;
    fromSequenceNumber = last.sequenceNumber + 1;
  }
}
