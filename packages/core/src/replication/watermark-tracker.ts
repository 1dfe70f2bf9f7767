import { passedWatermark, type PendingWatermark } from './watermark.ts';

/** Which watermarks of the peers this process has received, and which are passed. */
export interface WatermarkTracker {
  note(watermark: PendingWatermark): void;
  /** Those that are not known to be passed: to be read before the queue is looked at. */
  pending(): readonly PendingWatermark[];
  /**
   * Of `pending`, as read before, those with no message before them are passed. `lowestLeft` is the
   * lowest sequence number in the queue, undefined when it is empty.
   */
  settle(pending: readonly PendingWatermark[], lowestLeft: bigint | undefined): void;
  /** Milliseconds since the epoch, of the newest watermark of the peer that was passed. */
  passedMs(peer: string): number | undefined;
  /** What the peer says to have applied of this region's, by the newest word of it. */
  appliedMs(peer: string): number | undefined;
}

/** A backlog brings many watermarks at once; the older of them say nothing that is missed. */
const PENDING_PER_PEER_MAX = 100;

export function createWatermarkTracker(): WatermarkTracker {
  const pendingOf = new Map<string, PendingWatermark[]>();
  const passedOf = new Map<string, number>();
  const appliedOf = new Map<string, number>();

  return {
    note(watermark) {
      const { from, appliedMs = 0 } = watermark;
      if (appliedMs > (appliedOf.get(from) ?? 0)) appliedOf.set(from, appliedMs);
      const own = [...(pendingOf.get(watermark.from) ?? []), watermark];
      pendingOf.set(watermark.from, own.length > PENDING_PER_PEER_MAX ? thin(own) : own);
    },
    pending: () => [...pendingOf.values()].flat(),
    settle(pending, lowestLeft) {
      for (const [peer, own] of Map.groupBy(pending, ({ from }) => from)) {
        const newest = passedWatermark(own, lowestLeft);
        if (newest === undefined) continue;
        passedOf.set(peer, Math.max(newest.timeMs, passedOf.get(peer) ?? 0));
        const later = (pendingOf.get(peer) ?? []).filter(
          (one) => one.sequenceNumber > newest.sequenceNumber,
        );
        pendingOf.set(peer, later);
      }
    },
    passedMs: (peer) => passedOf.get(peer),
    appliedMs: (peer) => appliedOf.get(peer),
  };
}

/** Every other one, and always the newest. */
function thin(pending: readonly PendingWatermark[]): PendingWatermark[] {
  return pending.filter((_, index) => (pending.length - 1 - index) % 2 === 0);
}
