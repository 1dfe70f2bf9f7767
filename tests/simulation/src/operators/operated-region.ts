import { createHybridClock, type Lease, type QueueViewer, type RegionHold } from '@tandem/core';
import {
  createRecoveryRegion,
  createReplicatedTable,
  createRetriedStore,
  createTableArchive,
  createTableLease,
  createTableRegionHold,
  type ForgettingRegion,
  type ReplicatedTable,
} from '@tandem/storage';
import type { ProcessContext } from '../processes/process-context.ts';
import { createTablePort } from '../processes/table-port.ts';
import { createViewerPort } from '../processes/viewer-port.ts';
import { gadgetKind, gadgetKindOf } from '../world/gadget-kind.ts';

/** A region as one run of a command works in it: over the same use cases as `tandem`. */
export interface OperatedRegion extends ForgettingRegion<typeof gadgetKind> {
  readonly hold: RegionHold;
  readonly lease: Lease;
  openTable(): Promise<ReplicatedTable<typeof gadgetKind>>;
}

export interface OperatedOptions {
  readonly context: ProcessContext;
  readonly region: string;
  /** Names the calls: `repair`, `forget`. */
  readonly part: string;
  /** Names the run, so that watchers know whose transactions they see. */
  readonly by: string;
  /** The rows or messages of a page. */
  readonly pageMax: number;
}

/** Between the look that a write is planned on and the write: others write meanwhile. */
const OPENING_MS = [0, 2_000, 8_000];

export function openOperatedRegion(options: OperatedOptions): OperatedRegion {
  const { context, region, part, by, pageMax } = options;
  const { incarnation, randomness, world } = context;
  const { account, namespace } = world.regionNamed(region);
  const { bucketCount, driftMsMax, regions } = world.plan;
  const clock = context.clock(part);
  const port = createTablePort({ incarnation, account, draw: world.draw, part, by, pageMax });
  const store = createRetriedStore(port, { clock, randomness });
  const peers = regions.filter((name) => name !== region);
  const recovery = createRecoveryRegion({ region, store, kind: gadgetKind, bucketCount, peers });
  const leaseStore = createTablePort({ incarnation, account, draw: world.draw, part: 'alone' });
  return {
    name: region,
    kind: gadgetKind,
    store,
    bucketCount,
    recovery,
    hold: createTableRegionHold({ store }),
    lease: createTableLease({
      store: createRetriedStore(leaseStore, { clock, randomness }),
      clock,
      name: 'recovery',
      holder: incarnation.writer,
    }),
    withQueue: <T>(work: (queue: QueueViewer) => Promise<T>) =>
      work(
        createViewerPort({
          incarnation,
          namespace,
          region,
          part,
          pageMax,
          onResubmitted: (stamp) => void world.resubmitted.add(`${region} ${stamp}`),
        }),
      ),
    async openTable() {
      await clock.sleep(world.draw.pick(`${by}.open`, OPENING_MS));
      return createReplicatedTable({
        kind: gadgetKindOf(world.plan),
        store,
        archive: createTableArchive({ store }),
        hybridClock: createHybridClock({
          region,
          writer: incarnation.writer,
          nowMs: () => clock.nowMs(),
          driftMsMax,
        }),
        clock,
        randomness,
        bucketCount,
        wireVersion: world.plan.wireVersion,
        peers,
        onCommitted: () => undefined,
      });
    },
  };
}
