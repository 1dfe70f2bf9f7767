import {
  createHybridClock,
  createRelayQueue,
  decideReadiness,
  fragmentCountOf,
  type OutboxEntry,
  type Readiness,
  type RelayQueue,
} from '@tandem/core';
import type { RegionOpenTables } from '@tandem/region/testing';
import {
  createReplicatedTable,
  createTableArchive,
  createTableRegionHold,
  createTableReplicationStatus,
  type ReplicatedTable,
} from '@tandem/storage';
import { type OpenTables, openTables } from '../tables/open-tables.ts';
import { type gadgetKind, gadgetKindOf } from '../world/gadget-kind.ts';
import { createRelayParts } from './create-relay-parts.ts';
import type { Incarnation } from './incarnation.ts';
import type { ProcessContext } from './process-context.ts';
import { readSettings } from './read-settings.ts';

/** A customer API as its clients see it, with its relay behind. */
export interface ApiProcess {
  readonly incarnation: Incarnation;
  readonly table: ReplicatedTable<typeof gadgetKind>;
  /** Of clients, where the run has any. */
  readonly tables: OpenTables | undefined;
  /** The endpoint of the table that moves, where one does. */
  readonly moving: RegionOpenTables | undefined;
  readonly relayQueue: RelayQueue;
  readiness(): Promise<Readiness>;
}

export async function startApi(context: ProcessContext): Promise<ApiProcess> {
  const { incarnation, region, peers, randomness, world } = context;
  const configuration = await readSettings(context);
  const bucketCount = configuration.get('Tables.BucketCount');
  const wireVersion = configuration.get('Messages.WireVersion');
  const sent = { part: 'relay', bucketCount, wireVersion, finishesLate: true };
  const { relay } = createRelayParts(context, sent);
  const relayQueue = createRelayQueue({
    relay,
    clock: context.clock('relay-gather'),
    lengthMax: world.plan.relayLengthMax,
  });
  const clock = context.clock('write');
  const store = context.store('write');
  const startedMs = clock.nowMs();
  const probed = { store: context.store('probe') };
  const status = createTableReplicationStatus(probed);
  const hold = createTableRegionHold(probed);
  const hybridClock = createHybridClock({
    region,
    writer: incarnation.writer,
    nowMs: () => clock.nowMs(),
    driftMsMax: configuration.get('Clock.DriftMsMax'),
  });
  const onCommitted = (entry: OutboxEntry): void => {
    if (fragmentCountOf(entry.encoded) > 1) world.situations.note('cut');
    relayQueue.offer(entry);
  };
  const keepMs = world.plan.tables?.keepMs.get(region);
  const table = createReplicatedTable({
    kind: gadgetKindOf(world.plan),
    store,
    archive: createTableArchive({ store }),
    hybridClock,
    clock,
    randomness,
    bucketCount,
    wireVersion,
    largeSets: world.plan.largeSets,
    peers,
    onCommitted,
  });
  return {
    incarnation,
    table,
    tables:
      keepMs === undefined
        ? undefined
        : openTables({ context, clock, hybridClock, wireVersion, keepMs, onCommitted }),
    moving: world.migration?.serve(context, {
      clock,
      hybridClock,
      wireVersion,
      configuration,
      onCommitted,
    }),
    relayQueue,
    async readiness() {
      const [progress, held] = [await status.read(), await hold.read()];
      const settings = {
        lagMsMax: configuration.get('Readiness.LagMsMax'),
        waitMsMax: configuration.get('Readiness.WaitMsMax'),
        heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
        driftMsMax: configuration.get('Clock.DriftMsMax'),
      };
      const input = {
        nowMs: clock.nowMs(),
        startedMs,
        isStoreAnswering: true,
        progress,
        hasPeers: true,
        hold: held,
      };
      return decideReadiness(input, settings);
    },
  };
}
