import {
  AppError,
  archiveInRounds,
  createAppliedClaim,
  createApplier,
  createHybridClock,
  createReplicator,
  tombstoneHorizonMs,
} from '@tandem/core';
import {
  collectTombstones,
  createStoreProbe,
  createTableArchive,
  createTableConflictJournal,
  createTableLease,
  createTableReplica,
  createTableReplicationStatus,
  type TandemConfiguration,
  trimRegion,
} from '@tandem/storage';
import { gadgetKind } from '../world/gadget-kind.ts';
import { createRelayParts } from './create-relay-parts.ts';
import type { ProcessContext } from './process-context.ts';
import { readSettings } from './read-settings.ts';

const LEASE_MS = 10_000;
const LOCK_RENEW_MS = 10_000;
const FAILED_WAIT_MS = 700;

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
  const collect = createCollector(context, bucketCount);
  startLoop(context, { name: 'tombstones', waitMs: plan.collectIntervalMs }, collect);
  const { archiveKeepMs } = plan;
  if (archiveKeepMs === undefined) return;
  const trim = createTrimmer(context, { bucketCount, archiveKeepMs, driftMsMax });
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
  const { relay, outbox, links } = createRelayParts(context, swept);
  const kinds = [gadgetKind];
  const archive = createTableArchive({ store });
  const rounds = archiveInRounds({ archive, clock: context.clock('apply-late') });
  const applier = createApplier({
    region,
    regions: new Set(world.plan.regions),
    replicas: new Map([
      [gadgetKind.name, createTableReplica({ store, kind: gadgetKind, bucketCount })],
    ]),
    archive: rounds,
    conflicts: createTableConflictJournal({ store, kinds, bucketCount, peers: context.peers }),
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
  const claimed = { status: createTableReplicationStatus({ store: sweepStore }), receiver, clock };
  return createReplicator({
    region,
    clock,
    receiver,
    links,
    status: createTableReplicationStatus({ store: context.store('heartbeat') }),
    appliedClaim: createAppliedClaim(claimed),
    conflicts: createTableConflictJournal({ store: sweepStore, kinds, bucketCount }),
    lease: createTableLease(lease),
    leaseMs: LEASE_MS,
    readiness: {
      lagMsMax: configuration.get('Readiness.LagMsMax'),
      waitMsMax: configuration.get('Readiness.WaitMsMax'),
      heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
    },
    sweep: { outboxes: [outbox], relay, graceMs: configuration.get('Sweep.GraceMs') },
    inbound: {
      applier,
      randomness,
      lockRenewMs: LOCK_RENEW_MS,
      rounds,
      probe: createStoreProbe({ store }),
    },
  });
}

function createCollector(context: ProcessContext, bucketCount: number): () => Promise<unknown> {
  const store = context.store('tombstones');
  const clock = context.clock('tombstones');
  const status = createTableReplicationStatus({ store });
  return async () => {
    const progress = await status.read();
    const horizonMs = tombstoneHorizonMs({
      nowMs: clock.nowMs(),
      ageMs: context.world.plan.tombstoneAgeMs,
      passedMs: context.peers.map(
        (name) => progress?.peers.find(({ peer }) => peer === name)?.passedMs,
      ),
    });
    if (horizonMs === undefined) return 0;
    return collectTombstones({ store, kind: gadgetKind, bucketCount, horizonMs });
  };
}

/** Trims with the ages of this run, under a lease as the duty does. */
function createTrimmer(
  context: ProcessContext,
  {
    bucketCount,
    archiveKeepMs,
    driftMsMax,
  }: {
    readonly bucketCount: number;
    readonly archiveKeepMs: number;
    readonly driftMsMax: number;
  },
): () => Promise<unknown> {
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
    const trimmed = await trimRegion({
      store,
      kinds: [gadgetKind],
      bucketCount,
      clock,
      status: createTableReplicationStatus({ store }),
      peers: context.peers,
      settings: {
        archive: { keepMs: archiveKeepMs, keepBytes: undefined },
        promiseMs: archiveKeepMs,
        tombstoneAgeMs: context.world.plan.tombstoneAgeMs,
        driftMsMax,
      },
    });
    if (trimmed.some(({ rows }) => rows > 0)) context.world.situations.note('archive-trimmed');
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
