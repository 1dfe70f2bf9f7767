import { createWallClock, type WallClock } from '../world/wall-clock.ts';

export type Role = 'api' | 'replicator' | 'operator';

/** A place where a process runs, over and over: what outlives a crash of it. */
export interface Slot {
  readonly name: string;
  readonly region: string;
  readonly role: Role;
  readonly clock: WallClock;
  /** Incarnations so far. */
  starts: number;
  isDown: boolean;
  /** True time. */
  downSinceMs: number | undefined;
  /** After the next crash it stays down at least so long. */
  downMsMin: number;
  isPaused: boolean;
  /** The share of its calls that are slow on one way: its machine is alive, and hardly works. */
  limpShare: number;
  /** What is to go on when the pause is over. */
  readonly held: (() => void)[];
  /** When it last was paused, or limped. True time. */
  lastPausedMs: number;
  silentUntilMs: number;
  /** When a call of it to its own table last failed. True time. */
  lastTableFaultMs: number;
  /** Calls made at each site, over all incarnations: what names them. */
  readonly calls: Map<string, number>;
}

export function createSlot(
  place: { readonly region: string; readonly role: Role; readonly index: number },
  trueNowMs: () => number,
): Slot {
  return {
    name: `${place.region}-${place.role}${place.index}`,
    region: place.region,
    role: place.role,
    clock: createWallClock(trueNowMs),
    starts: 0,
    isDown: true,
    downSinceMs: trueNowMs(),
    downMsMin: 0,
    isPaused: false,
    limpShare: 0,
    held: [],
    lastPausedMs: Number.NEGATIVE_INFINITY,
    silentUntilMs: 0,
    lastTableFaultMs: Number.NEGATIVE_INFINITY,
    calls: new Map(),
  };
}
