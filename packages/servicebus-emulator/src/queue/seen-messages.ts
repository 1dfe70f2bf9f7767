import type { Clock } from '../clock.ts';
import type { MessageStore } from '../store/message-store.ts';

/** More ids than this are not remembered: the oldest are forgotten first. */
const IDS_MAX = 1_000_000;
/** A send forgets at most this many ids whose time is over. */
const FORGOTTEN_PER_SEND_MAX = 100;

/** The message ids that count as seen, for duplicate detection. */
export interface SeenMessages {
  has(messageId: string): boolean;
  add(messageId: string, untilMs: number): void;
  /** Removes and returns some of the ids whose time is over. */
  takeOutdated(): string[];
}

/** The form in which a time is stored. */
export function encodeTime(timeMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(timeMs);
  return bytes;
}

export function decodeTime(bytes: Buffer): number {
  return bytes.readDoubleBE();
}

/** Reads the ids that an earlier process has stored. */
export async function openSeenMessages(
  queueId: number,
  { store, clock }: { readonly store: MessageStore; readonly clock: Clock },
): Promise<SeenMessages> {
  const untilById = new Map<string, number>();
  const stored = await store.loadNotes(queueId, 'seen-message');
  const loaded = stored.map(({ name, value }) => [name, decodeTime(value)] as const);
  for (const [id, untilMs] of loaded.sort((a, b) => a[1] - b[1])) untilById.set(id, untilMs);
  return {
    has(messageId) {
      const untilMs = untilById.get(messageId);
      return untilMs !== undefined && untilMs > clock.nowMs();
    },
    add(messageId, untilMs) {
      // Behind all others, so that the first ones are those whose time is over first.
      untilById.delete(messageId);
      untilById.set(messageId, untilMs);
    },
    takeOutdated() {
      const outdated: string[] = [];
      for (const [id, untilMs] of untilById) {
        const isOver = untilMs <= clock.nowMs() || untilById.size > IDS_MAX;
        if (!isOver || outdated.length >= FORGOTTEN_PER_SEND_MAX) break;
        untilById.delete(id);
        outdated.push(id);
      }
      return outdated;
    },
  };
}
