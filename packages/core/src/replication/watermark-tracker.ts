import { passedWatermark, type PendingWatermark } from './watermark.ts';

/** Which watermarks of the peers this process has received, and which are passed. */
export interface WatermarkTracker {
  note(watermark: PendingWatermark): void;
  /** Called with the lowest sequence number left in the queue, read after the notes. */
  settle(lowestLeft: bigint | undefined): void;
  /** Milliseconds since the epoch, of the newest watermark of each peer that was passed. */
  passedMs(peer: string): number | undefined;
}

/** A backlog brings many watermarks at once; the older of them say nothing that is missed. */
const PENDING_PER_PEER_MAX = 100;

export function createWatermarkTracker(): WatermarkTracker {
  const pending = new Map<string, PendingWatermark[]>();
  const passed = new Map<string, number>();

  return {
    note(watermark) {
      const own = [...(pending.get(watermark.from) ?? []), watermark];
      pending.set(watermark.from, own.length > PENDING_PER_PEER_MAX ? thin(own) : own);
    },
    settle(lowestLeft) {
      for (const [peer, own] of pending) {
        const newest = passedWatermark(own, lowestLeft);
        if (newest === undefined) continue;
        passed.set(peer, Math.max(newest.timeMs, passed.get(peer) ?? 0));
        pending.set(
          peer,
          own.filter((one) => one.sequenceNumber > newest.sequenceNumber),
        );
      }
    },
    passedMs: (peer) => passed.get(peer),
  };
}

/** Every other one, and always the newest. */
function thin(pending: readonly PendingWatermark[]): PendingWatermark[] {
  return pending.filter((_, index) => (pending.length - 1 - index) % 2 === 0);
}
