import {
  AppError,
  archiveInRounds,
  CATALOG_BUCKET_COUNT,
  catalogKind,
  createAppliedClaim,
  createApplier,
  createHybridClock,
  createNotices,
  createReplicator,
  rowsKind,
  tombstoneHorizonMs,
} from '@tandem/core';
import {
  collectTombstones,
  createReplicatedTable,
  createStoreProbe,
  createTableArchive,
  createTableConflictJournal,
  createTableFragments,
  createTableLease,
  createTableReplica,
  createTableReplicationStatus,
  type TandemConfiguration,
  takePurgeTurn,
  tidyFragments,
  trimRegion,
} from '@tandem/storage';
import type { TablesPlan } from '../run/run-plan.ts';
import { bucketCountOf, kindsOf } from '../tables/open-tables.ts';
import { createRelayParts } from './create-relay-parts.ts';
import type { ProcessContext } from './process-context.ts';
import { readSettings } from './read-settings.ts';

const LEASE_MS = 10_000;
const LOCK_RENEW_MS = 10_000;
const FAILED_WAIT_MS = 700;
const TIDY_MS = 9_000;

/** A replicator: sweeps, receives, beats and collects in loops, until it dies. */
export async function startReplicator(context: ProcessContext): Promise<void> {
  const configuration = await readSettings(context);
  const { plan } = context.world;
  const replicator = composeReplicator(context, configuration);
  const { signal } = context.incarnation;
  startLoop(context, { name: 'receive', waitMs: 0 }, () => replicator.receiveOnce(signal));
  startLoop(context, { name: 'sweep', waitMs: plan.sweepIntervalMs }, () => replicator.sweepOnce());
  startLoop(context, { name: 'heartbeat', waitMs: plan.heartbeatIntervalMs }, () =>
    replicator.beatOnce(),
  );
  const bucketCount = configuration.get('Tables.BucketCount');
  const driftMsMax = configuration.get('Clock.DriftMsMax');
  const collect = createCollector(context, { bucketCount, driftMsMax });
  startLoop(context, { name: 'tombstones', waitMs: plan.collectIntervalMs }, collect);
  if (plan.largeSets !== undefined) {
    const store = context.store('fragments');
    const clock = context.clock('fragments');
    const kept = { store, clock, archive: createTableArchive({ store }) };
    const notices = createNotices({ clock });
    startLoop(context, { name: 'fragments', waitMs: TIDY_MS }, () =>
      tidyFragments({ ...kept, notices, driftMsMax }),
    );
  }
  if (plan.tables !== undefined) {
    const purge = createPurger(context, configuration, plan.tables);
    startLoop(context, { name: 'purge', waitMs: plan.tables.purgeIntervalMs }, purge);
  }
  for (const { name, turn, intervalMs } of context.world.migration?.dutiesOf(
    context,
    configuration,
  ) ?? []) {
    startLoop(context, { name, waitMs: intervalMs() }, () => turn(signal));
  }
  if (plan.archiveKeepMs === undefined && plan.tables?.ordersKeepMs === undefined) return;
  const trim = createTrimmer(context, { bucketCount, driftMsMax });
  startLoop(context, { name: 'retention', waitMs: plan.trimIntervalMs }, trim);
}

function composeReplicator(context: ProcessContext, configuration: TandemConfiguration) {
  const { incarnation, region, randomness, world } = context;
  const bucketCount = configuration.get('Tables.BucketCount');
  const clock = context.clock('apply');
  const store = context.store('apply');
  const sweepStore = context.store('sweep');
  const wireVersion = configuration.get('Messages.WireVersion');
  const swept = { part: 'sweep', bucketCount, wireVersion };
  const { relay, outboxes, links } = createRelayParts(context, swept);
  const kinds = kindsOf(world.plan);
  const countOf = (entityKind: string): number => bucketCountOf(entityKind, { bucketCount });
  const archive = createTableArchive({ store });
  const rounds = archiveInRounds({ archive, clock: context.clock('apply-late') });
  const applier = createApplier({
    region,
    regions: new Set(world.plan.regions),
    replicas: new Map(
      kinds.map((kind) => [
        kind.name,
        createTableReplica({ store, kind, bucketCount: countOf(kind.name) }),
      ]),
    ),
    archive: rounds,
    conflicts: createTableConflictJournal({
      store,
      kinds,
      bucketCount: countOf,
      peers: context.peers,
    }),
    clock,
    hybridClock: createHybridClock({
      region,
      writer: incarnation.writer,
      nowMs: () => clock.nowMs(),
      driftMsMax: configuration.get('Clock.DriftMsMax'),
    }),
    tombstoneAgeMs: world.plan.tombstoneAgeMs,
    store,
    driftMsMax: configuration.get('Clock.DriftMsMax'),
  });
  const lease = { store: sweepStore, clock, name: 'sweep', holder: incarnation.writer };
  const receiver = context.receiver();
  const driftMsMax = configuration.get('Clock.DriftMsMax');
  const claimed = {
    status: createTableReplicationStatus({ store: sweepStore }),
    receiver,
    clock,
    driftMsMax,
  };
  return createReplicator({
    region,
    clock,
    receiver,
    links,
    status: createTableReplicationStatus({ store: context.store('heartbeat') }),
    appliedClaim: createAppliedClaim(claimed),
    conflicts: createTableConflictJournal({ store: sweepStore, kinds, bucketCount: countOf }),
    lease: createTableLease(lease),
    leaseMs: LEASE_MS,
    readiness: {
      lagMsMax: configuration.get('Readiness.LagMsMax'),
      waitMsMax: configuration.get('Readiness.WaitMsMax'),
      heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
      driftMsMax,
    },
    sweep: { outboxes: async () => outboxes, relay, graceMs: configuration.get('Sweep.GraceMs') },
    inbound: {
      applier,
      fragments: createTableFragments({ store, archive, clock }),
      randomness,
      lockRenewMs: LOCK_RENEW_MS,
      rounds,
      probe: createStoreProbe({ store }),
    },
  });
}

function createCollector(
  context: ProcessContext,
  { bucketCount, driftMsMax }: { readonly bucketCount: number; readonly driftMsMax: number },
): () => Promise<unknown> {
  const store = context.store('tombstones');
  const clock = context.clock('tombstones');
  const status = createTableReplicationStatus({ store });
  return async () => {
    const progress = await status.read();
    const horizonMs = tombstoneHorizonMs({
      nowMs: clock.nowMs(),
      ageMs: context.world.plan.tombstoneAgeMs,
      driftMsMax,
      passedMs: context.peers.map(
        (name) => progress?.peers.find(({ peer }) => peer === name)?.passedMs,
      ),
    });
    if (horizonMs === undefined) return;
    for (const kind of kindsOf(context.world.plan)) {
      const count = bucketCountOf(kind.name, { bucketCount });
      await collectTombstones({ store, kind, bucketCount: count, horizonMs });
    }
  };
}

/** Says which rows of deleted tables go, and takes away those of which every region knows. */
function createPurger(
  context: ProcessContext,
  configuration: TandemConfiguration,
  { keepMs, keepMsMin, marginMs }: TablesPlan,
): () => Promise<unknown> {
  const { incarnation, region, randomness, peers } = context;
  const store = context.store('purge');
  const clock = context.clock('purge');
  const driftMsMax = configuration.get('Clock.DriftMsMax');
  const table = createReplicatedTable({
    kind: catalogKind,
    store,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region,
      writer: `${incarnation.writer}p`,
      nowMs: () => clock.nowMs(),
      driftMsMax,
    }),
    clock,
    randomness,
    bucketCount: CATALOG_BUCKET_COUNT,
    wireVersion: configuration.get('Messages.WireVersion'),
    peers,
    onCommitted: () => undefined,
  });
  const status = createTableReplicationStatus({ store });
  const own = { store, table, clock, status, peers, marginMs, driftMsMax };
  return async () => {
    const turn = await takePurgeTurn({ ...own, keepMs: keepMs.get(region) ?? keepMsMin });
    if (turn.purged.length === 0) return;
    await collectTombstones({
      store,
      kind: rowsKind,
      bucketCount: bucketCountOf(rowsKind.name, context.world.plan),
      horizonMs: 0,
      purge: { isPurged: turn.isPurged, onPurged: () => undefined },
    });
  };
}

/** Trims with the ages of this run, under a lease as the duty does. */
function createTrimmer(
  context: ProcessContext,
  { bucketCount, driftMsMax }: { readonly bucketCount: number; readonly driftMsMax: number },
): () => Promise<unknown> {
  const { archiveKeepMs, tables } = context.world.plan;
  const keptMs = [archiveKeepMs, tables?.ordersKeepMs].filter((keepMs) => keepMs !== undefined);
  const store = context.store('retention');
  const clock = context.clock('retention');
  const lease = createTableLease({
    store,
    clock,
    name: 'retention',
    holder: context.incarnation.writer,
  });
  return async () => {
    if (!(await lease.acquire(LEASE_MS))) return;
    const trimmed = trimRegion({
      store,
      kinds: kindsOf(context.world.plan),
      bucketCountOf: (entityKind) => bucketCountOf(entityKind, { bucketCount }),
      clock,
      status: createTableReplicationStatus({ store }),
      peers: context.peers,
      settings: {
        archive: { keepMs: archiveKeepMs, keepBytes: undefined },
        conflicts: { keepMs: undefined, keepBytes: undefined },
        promiseMs: Math.min(...keptMs),
        tombstoneAgeMs: context.world.plan.tombstoneAgeMs,
        driftMsMax,
      },
    });
    for await (const { rows } of trimmed) {
      if (rows > 0) context.world.situations.note('archive-trimmed');
    }
  };
}

function startLoop(
  context: ProcessContext,
  loop: { readonly name: string; readonly waitMs: number },
  turn: () => Promise<unknown>,
): void {
  const clock = context.clock(loop.name);
  const run = async (): Promise<void> => {
    while (context.incarnation.isAlive) {
      let waitMs = loop.waitMs;
      try {
        await turn();
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        waitMs = Math.max(FAILED_WAIT_MS, waitMs);
      }
      await clock.sleep(waitMs);
    }
  };
  run().catch((error: unknown) => context.world.reportBug(context.incarnation, error));
}
