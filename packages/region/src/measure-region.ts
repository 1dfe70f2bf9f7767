import type { Clock } from '@tandem/core';
import { type Meter, measureNotices } from '@tandem/telemetry';
import type { Region } from './open-region.ts';
import type { RegionKinds } from './region-options.ts';
import { measureReplication } from './replication/replicator-metrics.ts';

export type MeasuredRegion = Pick<
  Region<RegionKinds>,
  'readiness' | 'relayQueueLength' | 'notices' | 'replication'
>;

/**
 * Measures what a process of a region knows of it, looked at whenever someone asks: whether it may take traffic,
 * what waits to be sent, what was noticed; and, where the process runs the duties, what a replicator measures.
 */
export function measureRegion(
  meter: Meter,
  region: MeasuredRegion,
  clock: Pick<Clock, 'nowMs'>,
): void {
  meter
    .createObservableGauge('tandem.region.ready', {
      unit: '1',
      description: 'Whether the region may take traffic, as this process sees it.',
    })
    .addCallback(async (result) => {
      const readiness = await region.readiness();
      result.observe(readiness.kind === 'ready' ? 1 : 0);
    });
  meter
    .createObservableGauge('tandem.relay.queue.length', {
      unit: '{change_set}',
      description: 'Change sets that wait in this process to be sent; the outbox holds them too.',
    })
    .addCallback((result) => result.observe(region.relayQueueLength()));
  measureNotices(meter, () => region.notices());
  if (region.replication !== undefined) measureReplication(meter, region.replication, clock);
}
