import { bucketOf, type OutboundMessage, otherRowsKind, rowsKind } from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  REPLICATION_TABLE,
  recordBucketCount,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { createFaultInjector } from '../faults/fault-injector.ts';
import { createPoisonLog } from '../faults/poison.ts';
import { sourcesText } from '../migration/plain-accounts.ts';
import { createRecoveryLog } from '../operators/recovery-log.ts';
import { createSlot, type Role } from '../processes/slot.ts';
import { drawRunPlan, type RunPlan } from '../run/run-plan.ts';
import { bucketCountOf, kindsOf } from '../tables/open-tables.ts';
import { createAccount } from './account.ts';
import { createDraw } from './draw.ts';
import { createLinks } from './links.ts';
import { createNamespace } from './namespace.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createSites } from './sites.ts';
import { createSituations } from './situations.ts';
import { createTrace } from './trace.ts';
import type { Region, World } from './world.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly only?: ReadonlySet<string>;
}

export async function createWorld({ seed, only }: WorldOptions): Promise<World> {
  const draw = createDraw(seed);
  const plan = drawRunPlan(draw);
  const scheduler = createScheduler(plan.startMs);
  const trace = createTrace(() => scheduler.nowMs());
  const regions: Region[] = [];
  for (const name of plan.regions) regions.push(await createRegion(name, plan, scheduler));
  const bugs: string[] = [];
  const situations = createSituations();
  if (plan.upgradeMs !== undefined) situations.note('upgrade');
  if (plan.replicatorsPerRegion > 1) situations.note('two-replicators');
  const accepted = new Map(plan.regions.map((name): [string, Set<string>] => [name, new Set()]));
  const acceptListeners = new Map<string, ((stamp: string) => void)[]>();
  const sent = new Map(plan.regions.map((name): [string, OutboundMessage[]] => [name, []]));
  return {
    seed,
    plan,
    draw,
    scheduler,
    faults: createFaultInjector({
      draw,
      isCalm: plan.hasOnlyFreezes,
      slowSites: plan.slowSites,
      ...(only === undefined ? {} : { only }),
    }),
    sites: createSites(),
    situations,
    trace,
    links: createLinks(plan.regions),
    regions,
    slots: regions.flatMap(({ slots }) => slots),
    operatorSlots: Array.from({ length: plan.migration?.operators ?? plan.operators }, (_, index) =>
      createSlot(
        { region: regions[index % regions.length]?.name ?? '', role: 'operator', index },
        () => scheduler.nowMs(),
      ),
    ),
    recoveries: createRecoveryLog(),
    losses: { needsFilling: new Set(), needsConflicts: new Set() },
    damages: { rows: new Map(), unnamed: [] },
    migration: undefined,
    isClosing: false,
    living: new Map(),
    regionNamed(name) {
      const found = regions.find((region) => region.name === name);
      if (found === undefined) throw new Error(`no region ${name}`);
      return found;
    },
    sentTo: (name) => sent.get(name) ?? [],
    acceptedBy: (name) => accepted.get(name) ?? new Set(),
    onAccepted: (name, listener) => {
      acceptListeners.set(name, [...(acceptListeners.get(name) ?? []), listener]);
    },
    noteAccepted(name, stamp) {
      accepted.get(name)?.add(stamp);
      for (const listener of acceptListeners.get(name) ?? []) listener(stamp);
    },
    async readRows(name, table) {
      const store = regions.find((region) => region.name === name)?.account.store;
      const range = { table, partitions: { from: '', before: '\uffff' }, limit: 1_000 };
      return (await store?.query(range))?.rows ?? [];
    },
    bucketOf: (entityId) => bucketOf(entityId, plan.bucketCount),
    reportBug(incarnation, error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      bugs.push(`${incarnation?.slot.name ?? 'world'}: ${text}`);
      trace.note(`bug ${text.split('\n')[0] ?? ''}`);
    },
    bugs,
    poison: createPoisonLog(),
    resubmitted: new Set(),
    unfounded: [],
  };
}

async function createRegion(name: string, plan: RunPlan, scheduler: Scheduler): Promise<Region> {
  const nowMs = (): number => scheduler.nowMs();
  const account = createAccount(nowMs);
  const clock = {
    nowMs,
    sleep: (durationMs: number, signal?: AbortSignal) =>
      sleepUnlessAborted(scheduler, durationMs, signal),
  };
  const { lockDurationMs } = plan;
  const kinds = kindsOf(plan).map((kind) => kind.name);
  for (const table of [...kinds, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE]) {
    await account.store.createTable(table);
  }
  await seedConfiguration({
    store: account.store,
    definitions: tandemSettings,
    values: {
      'Customer.DataAccess': 'multi-region',
      'Tables.BucketCount': String(plan.bucketCount),
      ServiceBusConnection: `${name}.servicebus.example`,
      'Messages.WireVersion': String(plan.wireVersion),
      'Sweep.GraceMs': String(plan.sweepGraceMs),
      'Clock.DriftMsMax': String(plan.driftMsMax),
      ...(plan.migration === undefined ? {} : settingsOf(name, plan)),
    },
  });
  if (plan.migration !== undefined) {
    for (const kind of kindsOf(plan)) {
      await recordBucketCount(account.store, kind, bucketCountOf(kind.name, plan));
    }
  }
  const slotsOf = (role: Role, count: number) =>
    Array.from({ length: count }, (_, index) => createSlot({ region: name, role, index }, nowMs));
  return {
    name,
    account,
    namespace: createNamespace(name, { clock, lockDurationMs }),
    slots: [
      ...slotsOf('api', plan.apisPerRegion),
      ...slotsOf('replicator', plan.replicatorsPerRegion),
    ],
    apis: new Map(),
  };
}

/** What the endpoint, the duties and the commands read of the settings, besides. */
function settingsOf(
  own: string,
  { regions, migration }: RunPlan,
): Readonly<Record<string, string>> {
  const peers = regions.filter((name) => name !== own);
  return {
    'Rows.BucketCount': String(bucketCountOf(rowsKind.name, { bucketCount: 1 })),
    ...(migration?.movesOn === true
      ? { 'Rows2.BucketCount': String(bucketCountOf(otherRowsKind.name, { bucketCount: 1 })) }
      : {}),
    'Tables.Sources': sourcesText(),
    Peers: JSON.stringify(
      peers.map((region) => ({ region, connection: `${region}.servicebus.example` })),
    ),
  };
}

function sleepUnlessAborted(
  scheduler: Scheduler,
  durationMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true || durationMs <= 0) return resolve();
    const wake = (): void => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = scheduler.schedule(durationMs, wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
