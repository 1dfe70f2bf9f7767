import type { ProbeSettings } from '../drill/predict-drill.ts';
import { type DrillOptions, type DrillReport, runDrill } from '../drill/run-drill.ts';
import {
  createVirtualClock,
  driveVirtualTime,
  type VirtualClock,
} from '../memory/virtual-clock.ts';
import { type DrillOrder, isOutForDrill } from '../model/drill-order.ts';
import type { DrillAnswer, DrillClient, DrillSwitch } from '../ports/drill.ts';
import type { VersionVector } from '../state/version-vector.ts';

/** What the traffic manager of this world does, unless it is told otherwise. */
export const PROBING = { intervalMs: 1_000, timeoutMs: 900, toleratedFailures: 2, ttlMs: 1_000 };
export const WORLD_START_MS = 1_000_000;
const ANSWER_MS = 5;

export interface World {
  /** How long the region still catches up once the drill is over. */
  readonly catchUpMs?: number;
  /** Whether readiness waits for that. */
  readonly hasGate?: boolean;
  readonly ready?: Readonly<Record<string, boolean>>;
  readonly failsBack?: boolean;
  /** What the traffic manager says, so long after the beginning; undefined where it says nothing. */
  readonly settled?: (passedMs: number) => boolean | undefined;
  /** When each is ready, so long after the beginning; all the time without. */
  readonly westReady?: (passedMs: number) => boolean;
  readonly eastReady?: (passedMs: number) => boolean;
  /** What the traffic manager does. */
  readonly probing?: ProbeSettings;
  /** How long a request takes. */
  readonly answerMs?: number;
  /** The clock of the operator, before that of the region. */
  readonly operatorAheadMs?: number;
}

export interface Asked {
  readonly kind: 'read' | 'write';
  readonly phase: string;
  readonly region: string;
  readonly version: VersionVector | undefined;
}

export interface DrillWorld {
  readonly options: DrillOptions;
  readonly clock: VirtualClock;
  /** What its client asked, and who answered. */
  readonly asked: readonly Asked[];
  /** Each order, and when it was given, by this world's clock. */
  readonly orders: readonly { readonly untilMs: number; readonly atMs: number }[];
  /** Each end of an order: the time that was said, and the one at which it was. */
  readonly ends: readonly { readonly saidMs: number; readonly atMs: number }[];
  /** When it was asked whether a region is ready. */
  readonly looks: readonly {
    readonly region: string;
    readonly phase: string;
    readonly atMs: number;
  }[];
  order(): DrillOrder | undefined;
  removed(): boolean;
  run(more?: Partial<DrillOptions>): Promise<DrillReport>;
}

/** Two regions behind a traffic manager, all of it virtual. */
export function createDrillWorld(world: World = {}): DrillWorld {
  const { catchUpMs = 0, hasGate = true, ready = {}, probing = PROBING } = world;
  const { answerMs = ANSWER_MS } = world;
  const { failsBack = true, operatorAheadMs = 0 } = world;
  const virtual = createVirtualClock(WORLD_START_MS);
  let order: DrillOrder | undefined;
  let phase = '';
  const asked: Asked[] = [];
  const orders: { untilMs: number; atMs: number }[] = [];
  const ends: { saidMs: number; atMs: number }[] = [];
  const looks: { region: string; phase: string; atMs: number }[] = [];
  let isRemoved = false;
  const rows = { east: 0, west: 0 };
  let failures = 0;
  let current: 'east' | 'west' = 'east';
  let resolved: { region: 'east' | 'west'; untilMs: number } = { region: 'east', untilMs: 0 };
  let nextProbeMs = virtual.nowMs();

  const isOut = (atMs: number) => isOutForDrill(order, atMs);
  const isCaughtUp = (atMs: number) => order === undefined || atMs >= order.untilMs + catchUpMs;
  const isEastReady = (atMs: number) =>
    (world.eastReady?.(atMs - WORLD_START_MS) ?? ready['east'] ?? true) &&
    !isOut(atMs) &&
    (!hasGate || isCaughtUp(atMs));
  const turn = (): void => {
    for (; nextProbeMs <= virtual.nowMs(); nextProbeMs += probing.intervalMs) {
      const ok = isEastReady(nextProbeMs) && (failsBack || order === undefined);
      failures = ok ? 0 : failures + 1;
      if (ok) current = 'east';
      else if (failures > probing.toleratedFailures) current = 'west';
    }
    const now = virtual.nowMs();
    if (now >= resolved.untilMs) resolved = { region: current, untilMs: now + probing.ttlMs };
    // West's writes arrive in east when it has caught up, and east's in west at once.
    if (!isOut(now) && isCaughtUp(now)) rows.east = Math.max(rows.east, rows.west);
    rows.west = Math.max(rows.west, rows.east);
  };
  const answer = (count: number): DrillAnswer => ({
    kind: 'answered',
    region: resolved.region,
    version: new Map(),
    count,
  });
  const client: DrillClient = {
    async write(count, version) {
      await virtual.sleep(answerMs);
      turn();
      asked.push({ kind: 'write', phase, region: resolved.region, version });
      rows[resolved.region] = count;
      return answer(count);
    },
    async read(version) {
      await virtual.sleep(answerMs);
      turn();
      asked.push({ kind: 'read', phase, region: resolved.region, version });
      return answer(rows[resolved.region]);
    },
    remove: async () => void (isRemoved = true),
  };
  const drill: DrillSwitch = {
    read: async () => order,
    async begin(next, nowMs) {
      if (isOutForDrill(order, nowMs)) return 'taken';
      order = next;
      orders.push({ untilMs: next.untilMs, atMs: virtual.nowMs() });
      return 'begun';
    },
    async end(id, nowMs) {
      ends.push({ saidMs: nowMs, atMs: virtual.nowMs() });
      if (order?.id === id) order = { id, untilMs: Math.min(order.untilMs, nowMs) };
    },
  };
  const options: DrillOptions = {
    region: 'east',
    probing,
    drill,
    client,
    isReady: async (region) => {
      looks.push({ region, phase, atMs: virtual.nowMs() - WORLD_START_MS });
      if (region === 'east') return isEastReady(virtual.nowMs());
      return world.westReady?.(virtual.nowMs() - WORLD_START_MS) ?? ready['west'] ?? true;
    },
    others: ['west'],
    isSettled: async () =>
      world.settled === undefined ? true : world.settled(virtual.nowMs() - WORLD_START_MS),
    clock: { ...virtual, nowMs: () => virtual.nowMs() + operatorAheadMs },
    regionAheadMs: -operatorAheadMs,
    randomness: { uuid: () => 'drill-1' },
    signal: new AbortController().signal,
    awayMs: 2_000,
    returnMsMax: 30_000,
    carriesVersion: false,
    onPhase: (now) => void (phase = now),
  };
  return {
    options,
    clock: virtual,
    asked,
    orders,
    ends,
    looks,
    order: () => order,
    removed: () => isRemoved,
    run: (more = {}) => {
      const onPhase: DrillOptions['onPhase'] = (...what) => {
        options.onPhase?.(...what);
        more.onPhase?.(...what);
      };
      return driveVirtualTime(virtual, runDrill({ ...options, ...more, onPhase }));
    },
  };
}
