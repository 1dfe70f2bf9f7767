import type { VersionVector } from '@tandem/core';
import type { Ledger } from '../observe/ledger.ts';
import type { ApiProcess } from '../processes/api-process.ts';
import type { World } from '../world/world.ts';
import { chooseCrowd, chooseIntent, chooseTransaction, type Intent } from './choose-operation.ts';
import type { History, OperationRecord, Outcome } from './history.ts';
import { performOperation } from './perform-operation.ts';

export interface ClientOptions {
  readonly world: World;
  readonly ledger: Ledger;
  readonly history: History;
  readonly index: number;
  /** Where Traffic Manager sends now. */
  readonly preferredRegion: () => string;
  /** Deletions that an acknowledgement was matched with. */
  readonly claimed: Set<string>;
  /** True times between which it works. */
  readonly windows: readonly (readonly [fromMs: number, beforeMs: number])[];
  readonly onRead: (record: OperationRecord, api: ApiProcess) => void;
}

/** Why a client knows no outcome: it was given no answer for long. */
export const TIMED_OUT = 'timed out';
const PATIENCE_MS = 30_000;
/** A write may share in a call that had failed before it came, and not been answered. */
const TIMEOUT_MS_MAX = 10_000;
const RETRY_ELSEWHERE_PROBABILITY = 0.4;
const IDS_PER_CLIENT = 2_000;
const BURST_PROBABILITY = 0.2;
/** Without breaks the work would be over long before the faults are. */
const BREAK_PROBABILITY = 0.2;
const BREAK_MS_MAX = 12_000;
const CROWD_TURN = 1;
const CROWD_AFTER_MS = 4_000;
/** Two clients, mostly in two regions, so that whole transactions meet. */
const CROWDS = 2;

/** One client: one request at a time or a burst of them, some of them again in another region. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { world, index, windows } = options;
  const { draw, plan, scheduler } = world;
  const seen = new Map<string, VersionVector>();
  let made = 0;
  let turn = 0;
  for (const [window, [fromMs, beforeMs]] of windows.entries()) {
    await scheduler.sleep(fromMs - scheduler.nowMs());
    for (let count = 0; count < plan.operationsPerClient; count += 1) {
      turn += 1;
      const key = `client${index}.${turn}`;
      const hasBreak = draw.chance(`${key}.break`, BREAK_PROBABILITY);
      const thinkMsMax = hasBreak ? BREAK_MS_MAX : plan.thinkMsMax;
      await scheduler.sleep(draw.integer(`${key}.think`, [1, thinkMsMax]));
      if (scheduler.nowMs() >= beforeMs) break;
      const ask = (intent: Intent, region: string): Promise<Outcome> => {
        made += 1;
        return request({ ...options, id: index * IDS_PER_CLIENT + made, region, intent, seen });
      };
      if (isInCrowd(options, turn))
        await scheduler.sleep(fromMs + CROWD_AFTER_MS - scheduler.nowMs());
      const region = regionFor(options, { key, turn });
      const askTwice = async (intent: Intent, place: number): Promise<void> => {
        const own = `${key}.${place}`;
        const outcome = await ask(intent, region);
        const isDone = ['acknowledged', 'read', 'listed'].includes(outcome.kind);
        if (isDone || !draw.chance(`${own}.retry`, RETRY_ELSEWHERE_PROBABILITY)) return;
        world.situations.note('retried-elsewhere');
        await ask(intent, draw.pick(`${own}.elsewhere`, plan.regions));
      };
      await Promise.all(chooseIntents(options, { key, turn, window }).map(askTwice));
    }
  }
}

/** Some clients then write every entity there is, in their own regions, at the same moment. */
function isInCrowd(
  { world, index }: Pick<ClientOptions, 'world' | 'index'>,
  turn: number,
): boolean {
  return world.plan.hasCrowd && index < CROWDS && turn === CROWD_TURN;
}

/** Mostly one; many at once from a client in a hurry. */
function chooseIntents(
  { world, index }: Pick<ClientOptions, 'world' | 'index'>,
  { key, turn, window }: { readonly key: string; readonly turn: number; readonly window: number },
): readonly Intent[] {
  const { draw, plan } = world;
  if (isInCrowd({ world, index }, turn)) return chooseCrowd(plan);
  const count = draw.chance(`${key}.burst`, BURST_PROBABILITY) ? plan.burst : 1;
  // Of the later window's clients some tombstones are left alone, to be collected under faults.
  const entityCount = window === 0 ? plan.entityCount : Math.ceil(plan.entityCount / 2);
  return Array.from({ length: count }, (_, place) => {
    const own = `${key}.${place}`;
    const intent = chooseIntent(draw, { entityCount }, own);
    return chooseTransaction(draw, { ...plan, entityCount }, { key: own, intent });
  });
}

function regionFor(
  { world, index, preferredRegion }: ClientOptions,
  { key, turn }: { readonly key: string; readonly turn: number },
): string {
  const { draw, plan, situations } = world;
  const home = plan.regions[index % plan.regions.length] as string;
  if (isInCrowd({ world, index }, turn)) return home;
  switch (plan.routing) {
    case 'priority': {
      const region = preferredRegion();
      if (region !== plan.regions[0]) situations.note('failed-over');
      return region;
    }
    case 'too-early': {
      const preferred = preferredRegion();
      const region = plan.regions.find((name) => world.regionNamed(name).apis.size > 0);
      if (region === undefined) return preferred;
      const isEarly = plan.regions.indexOf(region) < plan.regions.indexOf(preferred);
      if (isEarly) situations.note('failed-back-too-early');
      return region;
    }
    case 'home':
      return home;
    default:
      return draw.pick(`${key}.region`, plan.regions);
  }
}

interface Request extends ClientOptions {
  readonly id: number;
  readonly region: string;
  readonly intent: Intent;
  readonly seen: Map<string, VersionVector>;
}

async function request(options: Request): Promise<Outcome> {
  const { world, ledger, history, id, region, intent, seen } = options;
  const { draw, scheduler, trace } = world;
  const apis = [...world.regionNamed(region).apis.values()];
  if (apis.length === 0) return { kind: 'refused', code: 'CONNECTION_REFUSED' };
  const api = draw.pick(`request${id}.api`, apis);
  const { incarnation } = api;
  const record: OperationRecord = {
    id,
    client: options.index,
    region,
    writer: incarnation.writer,
    entityId: intent.entityId,
    entityIds: [intent.entityId, ...(intent.others ?? []).map(({ entityId }) => entityId)],
    kind: intent.kind,
    fields: intent.fields,
    condition: intent.condition,
    startMs: scheduler.nowMs(),
    endMs: Number.POSITIVE_INFINITY,
    outcome: { kind: 'pending' },
    hadStoreFault: false,
    wasPaused: false,
    cameInPause: incarnation.slot.isPaused,
  };
  history.begin(record);
  const performing = performOperation({
    api,
    intent,
    record,
    seenVersion: seen.get(intent.entityId),
    commits: () => ledger.commitsOf(intent.entityId),
    claimed: options.claimed,
  });
  performing.catch((error: unknown) => world.reportBug(incarnation, error));
  const gaveUp = brokenConnection(world, api);
  const { outcome, version } = await Promise.race([performing, gaveUp]);
  history.end(record, outcome, scheduler.nowMs());
  const { lastTableFaultMs, lastPausedMs, isPaused, limpShare } = incarnation.slot;
  record.hadStoreFault = lastTableFaultMs >= record.startMs - TIMEOUT_MS_MAX;
  // A call that was made while the process limped holds up what is behind it until it is answered.
  const isSlowed = lastPausedMs >= record.startMs - TIMEOUT_MS_MAX;
  record.wasPaused = isPaused || limpShare > 0 || isSlowed;
  if (version !== undefined) seen.set(intent.entityId, version);
  trace.note(`op ${id} ${region} ${intent.kind} ${intent.entityId} ${describe(outcome)}`);
  if (outcome.kind === 'read') options.onRead(record, api);
  return outcome;
}

/** The client is told nothing more when the process dies, or when it has waited long enough. */
function brokenConnection(
  { scheduler }: World,
  { incarnation }: ApiProcess,
): Promise<{ outcome: Outcome; version: undefined }> {
  return new Promise((resolve) => {
    const breakOff = (why: string) => (): void =>
      resolve({ outcome: { kind: 'unknown', why }, version: undefined });
    if (incarnation.signal.aborted) breakOff('dead')();
    incarnation.signal.addEventListener('abort', breakOff('reset'), { once: true });
    scheduler.schedule(PATIENCE_MS, breakOff(TIMED_OUT));
  });
}

function describe(outcome: Outcome): string {
  if (outcome.kind === 'refused') return `refused ${outcome.code}`;
  return outcome.kind === 'acknowledged' ? `acknowledged ${outcome.stamp ?? ''}` : outcome.kind;
}
