import {
  believedPeers,
  type Clock,
  decodeVector,
  encodeVector,
  newestStamp,
  type PeerProgress,
  type ReplicationStatus,
  type Stamp,
  stampRegion,
  stampTimeMs,
  type VersionVector,
} from '@tandem/core';
import { sealCursor, unsealCursor } from '@tandem/storage';
import { createPlaces } from './places.ts';
import type { ReadVersion, VersionBounds, VersionGate, Wait } from './version-gate.ts';

export type ReceiptAnswer =
  | { readonly kind: 'told'; readonly regions: readonly RegionReceipt[] }
  /** The write has not reached this region. */
  | { readonly kind: 'not-reached' }
  /** No region has given this receipt. */
  | { readonly kind: 'forged'; readonly why: string };

/** Tells where a write has been applied. */
export interface Receipts {
  /**
   * As soon as every region has applied the write, or none but those that this region is not told
   * of is left; or when the wait is over. Throws what reading throws, and `OVERLOADED` where there is no
   * place to wait.
   */
  whereApplied(customerId: string, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
}

export interface ReceiptsOptions {
  readonly region: string;
  readonly peers: readonly string[];
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly gate: VersionGate;
  readonly readVersion: ReadVersion;
  /** Whether this region has ever committed a change set of this stamp where the customer lies. */
  readonly isCommitted: (customerId: string, stamp: Stamp) => Promise<boolean>;
  /** Why no region can have given a receipt; undefined when one can. */
  readonly whyForged: (receipt: WriteReceipt) => string | undefined;
  readonly clock: Clock;
  /** Asked for each time: the setting may be refreshed. */
  readonly skewMsMax: () => number;
  /** What is claimed further ahead of the clock is not believed. */
  readonly driftMsMax: () => number;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
}

/** Peers give their word about once a second; whoever waits for it shares one look at it. */
const LOOK_EVERY_MS = 250;
const WAITERS_MAX = 200;
const WAITERS_PER_CALLER_MAX = 50;

/**
 * Receipts are not signed: see ADR 0026. They are judged by what this region knows instead, its clock,
 * its row and its archive.
 */
export function createReceipts(options: ReceiptsOptions): Receipts {
  const { region, peers, gate, clock, stopping } = options;
  const places = createPlaces({
    what: 'receipts that wait',
    countMax: WAITERS_MAX,
    perCallerMax: WAITERS_PER_CALLER_MAX,
  });
  const readStatus = createSharedRead(() => options.status.read(), clock);

  const look = async (receipt: WriteReceipt, ageMsMax = 0): Promise<readonly RegionReceipt[]> => {
    const own = { nowMs: clock.nowMs(), driftMsMax: options.driftMsMax() };
    const progress = peers.length === 0 ? [] : believedPeers(await readStatus(ageMsMax), own);
    return judgeReceipt(receipt, { region, peers, progress, skewMsMax: options.skewMsMax() });
  };

  const isKnown = async (customerId: string, { version }: WriteReceipt): Promise<boolean> => {
    const own = version.get(region);
    if (own === undefined) return true;
    const current = await options.readVersion(customerId);
    return current?.get(region) === own || options.isCommitted(customerId, own);
  };

  const waitFor = async (
    receipt: WriteReceipt,
    endMs: number,
  ): Promise<readonly RegionReceipt[]> => {
    for (;;) {
      const regions = await look(receipt, LOOK_EVERY_MS);
      const leftMs = endMs - clock.nowMs();
      if (!isPending(regions) || leftMs <= 0 || stopping?.aborted) return regions;
      await clock.sleep(Math.min(LOOK_EVERY_MS, leftMs), stopping);
    }
  };

  return {
    async whereApplied(customerId, receipt, wait) {
      const endMs = clock.nowMs() + wait.waitMs;
      const why = options.whyForged(receipt);
      if (why !== undefined) return { kind: 'forged', why };
      const reach = await gate.reach(customerId, receipt.version, wait);
      if (reach.kind === 'impossible') return { kind: 'forged', why: reach.why };
      if (reach.kind === 'not-reached') return { kind: 'not-reached' };
      if (!(await isKnown(customerId, receipt))) {
        return { kind: 'forged', why: 'this region has made no such write.' };
      }
      const regions = await look(receipt);
      if (!isPending(regions) || endMs <= clock.nowMs()) return { kind: 'told', regions };
      const leave = places.take(wait.caller);
      try {
        return { kind: 'told', regions: await waitFor(receipt, endMs) };
      } finally {
        leave();
      }
    },
  };
}

function isPending(regions: readonly RegionReceipt[]): boolean {
  return regions.some(({ state }) => state === 'pending');
}

/**
 * Returns why no region can have given the receipt, by its time; undefined when one can.
 *
 * An acknowledgement comes after its stamp, but for what clocks may differ, and never later than now. One
 * that was told earlier would be called applied by words of the peers that are older than the write.
 */
export function whyForged(
  { version, acknowledgedMs }: WriteReceipt,
  { nowMs, driftMsMax }: Pick<VersionBounds, 'nowMs' | 'driftMsMax'>,
): string | undefined {
  if (acknowledgedMs > nowMs + driftMsMax) return 'it is of a time to come.';
  const newest = newestStamp(version);
  // A stamp above one that a broken clock has made says nothing of when it was written.
  if (newest === undefined || stampTimeMs(newest) > nowMs + driftMsMax) return undefined;
  return acknowledgedMs < stampTimeMs(newest) - driftMsMax
    ? 'its write was acknowledged before it was made.'
    : undefined;
}

/** Who asks while it is being read gets the same answer, and who may have it that old gets the last one. */
export function createSharedRead<T>(
  read: () => Promise<T>,
  clock: Pick<Clock, 'nowMs'>,
): (ageMsMax: number) => Promise<T> {
  let last: { readonly beganMs: number; readonly answer: Promise<T>; isOver: boolean } | undefined;
  return (ageMsMax) => {
    const nowMs = clock.nowMs();
    if (last !== undefined && (!last.isOver || nowMs < last.beganMs + ageMsMax)) return last.answer;
    const look = { beganMs: nowMs, answer: read(), isOver: false };
    last = look;
    // Whoever asks after a failure looks anew; who waited for it is told.
    look.answer.then(
      () => void (look.isOver = true),
      () => void (last = undefined),
    );
    return look.answer;
  };
}

interface RegionReceipt {
  readonly region: string;
  /** `unknown`: this region is not told, since another one wrote it. */
  readonly state: 'applied' | 'pending' | 'unknown';
}

interface ReceiptFacts {
  /** The region that is asked. Its row contains the version. */
  readonly region: string;
  readonly peers: readonly string[];
  readonly progress: readonly PeerProgress[];
  /** How far apart the clocks of the processes may be, in milliseconds. */
  readonly skewMsMax: number;
}

/**
 * Where the write has been applied, by what this region knows for certain. A peer's word covers what
 * was acknowledged before a time, on the clock of the sweep, so the write has to be older by more
 * than the clocks may differ. Never flattering (I11).
 */
export function judgeReceipt(
  { version, acknowledgedMs }: WriteReceipt,
  { region, peers, progress, skewMsMax }: ReceiptFacts,
): readonly RegionReceipt[] {
  const newest = newestStamp(version);
  const writtenIn = newest === undefined ? undefined : stampRegion(newest);
  const stateOf = (peer: string): RegionReceipt['state'] => {
    if (peer === writtenIn) return 'applied';
    if (writtenIn !== region) return 'unknown';
    const appliedMs = progress.find((one) => one.peer === peer)?.appliedMs ?? 0;
    return appliedMs > acknowledgedMs + skewMsMax ? 'applied' : 'pending';
  };
  return [
    { region, state: 'applied' },
    ...peers.map((peer): RegionReceipt => ({ region: peer, state: stateOf(peer) })),
  ];
}

/** What a client keeps of a write, to ask later where it has been applied. */
export interface WriteReceipt {
  readonly version: VersionVector;
  /** On the wall clock of the process that answered: never before the write was committed. */
  readonly acknowledgedMs: number;
}

const TEXT = /^([0-9a-z]{1,11}):(.+)$/;

/** Returns an opaque text that is bound to the customer. */
export function encodeReceipt(
  customerId: string,
  { version, acknowledgedMs }: WriteReceipt,
): string {
  const text = `${Math.trunc(acknowledgedMs).toString(36)}:${encodeVector(version)}`;
  return sealCursor(text, scopeOf(customerId));
}

/** Returns undefined for a text that `encodeReceipt` did not make for this customer. */
export function decodeReceipt(customerId: string, receipt: string): WriteReceipt | undefined {
  const text = unsealCursor(receipt, scopeOf(customerId)) ?? '';
  const [, time = '', vector = ''] = TEXT.exec(text) ?? [];
  const version = decodeVector(vector);
  return version === undefined ? undefined : { version, acknowledgedMs: parseInt(time, 36) };
}

function scopeOf(customerId: string): string {
  return `r1:${customerId}`;
}
