import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { TerminalError } from '../errors.ts';
import { isRegionName } from '../time/stamp.ts';
import { parseJson } from './change-set-bytes.ts';
import { WIRE_VERSION } from './versions.ts';

const WatermarkSchema = Type.Object({
  wire: Type.Integer({ minimum: 1, maximum: WIRE_VERSION }),
  from: Type.String(),
  timeMs: Type.Integer({ minimum: 0 }),
  appliedMs: Type.Optional(Type.Integer({ minimum: 0 })),
  allAppliedMs: Type.Optional(Type.Integer({ minimum: 0 })),
  soundMs: Type.Optional(Type.Integer({ minimum: 0 })),
  reads: Type.Optional(Type.Integer({ minimum: 1 })),
});

/**
 * Is a region's word to a peer: everything that I acknowledged before `timeMs` is already in your queue, ahead
 * of this message. With `appliedMs` also: everything that you acknowledged before that time, I have applied.
 * With `allAppliedMs`: everything that any region acknowledged before that time, I have applied and archived.
 * With `soundMs`: everything before that later time too, but for rows of my outbox that wait for an operator,
 * so waiting for it is in vain (ADR 0021). With `reads`: the newest wire version that I read (ADR 0053). A build that
 * does not know a claim reads over it.
 */
export type Watermark = Omit<Static<typeof WatermarkSchema>, 'wire'>;

const checkWatermark = Compile(WatermarkSchema);

export function encodeWatermark(watermark: Watermark): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ wire: WIRE_VERSION, ...watermark }));
}

/** Throws `CHANGE_UNDECODABLE`. */
export function decodeWatermark(bytes: Uint8Array): Watermark {
  const json = parseJson(
    bytes,
    (cause) =>
      new TerminalError('CHANGE_UNDECODABLE', 'The watermark is not UTF-8 JSON.', { cause }),
  );
  if (!checkWatermark.Check(json) || !isRegionName(json.from)) {
    throw new TerminalError('CHANGE_UNDECODABLE', 'The message is no watermark.');
  }
  const { wire: _wire, from, timeMs, appliedMs, allAppliedMs, soundMs, reads } = json;
  return {
    from,
    timeMs,
    ...(appliedMs === undefined ? {} : { appliedMs }),
    ...(allAppliedMs === undefined ? {} : { allAppliedMs }),
    ...(soundMs === undefined ? {} : { soundMs }),
    ...(reads === undefined ? {} : { reads }),
  };
}

export interface ScannedOutbox {
  /** Was read before the scan began. */
  readonly scanStartedMs: number;
  /** Is, for the oldest change set still owed to the peer: the wall clock before its commit. */
  readonly oldestOwedMs: number | undefined;
}

/** Returns the time before which nothing acknowledged is still owed. Never flattering (I11). */
export function watermarkTimeMs({ scanStartedMs, oldestOwedMs }: ScannedOutbox): number {
  return Math.min(scanStartedMs, oldestOwedMs ?? scanStartedMs);
}

export interface PendingWatermark extends Watermark {
  readonly sequenceNumber: bigint;
}

/**
 * Returns the newest watermark that has been passed: no message with a smaller sequence number is left in the
 * queue. `lowestLeft` is undefined when the queue is empty.
 */
export function passedWatermark(
  pending: readonly PendingWatermark[],
  lowestLeft: bigint | undefined,
): PendingWatermark | undefined {
  return pending
    .filter((one) => lowestLeft === undefined || lowestLeft > one.sequenceNumber)
    .reduce<PendingWatermark | undefined>(
      (newest, one) => (newest === undefined || soundOf(one) > soundOf(newest) ? one : newest),
      undefined,
    );
}

/** Returns the time before which nothing is left to wait for. */
export function soundOf({ timeMs, soundMs }: Watermark): number {
  return Math.max(timeMs, soundMs ?? 0);
}
