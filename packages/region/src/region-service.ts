import type { Clock } from '@tandem/core';
import {
  type ClosableServer,
  closeServer,
  type PinoLogger,
  type Service,
} from '@tandem/service-kit';
import { type Meter, measureNotices, type Telemetry } from '@tandem/telemetry';
import type { Region } from './open-region.ts';
import type { RegionKinds } from './region-options.ts';
import { measureReplication } from './replication/replicator-metrics.ts';

/** Says before the deadline of the step which requests are cut off. */
const PATIENCE = 0.8;

interface RegionServiceOptions {
  /** Made, and not opened yet. */
  readonly region: Pick<Region<RegionKinds>, 'open' | 'drain' | 'close'> & MeasuredRegion;
  /** Answers requests from the region. */
  readonly app: Service['app'] & ClosableServer;
  readonly clock: Clock;
  readonly logger: PinoLogger;
  readonly telemetry: Telemetry;
  /** Stand in the line that says that it is ready, beside the port of the metrics. */
  readonly facts?: Service['facts'];
}

/**
 * Makes the service that serves a region over HTTP: opens the region, measures it, and at the stop lets requests
 * finish before the region drains and closes.
 */
export function createRegionService(options: RegionServiceOptions): Service {
  const { region, app, clock, logger, telemetry } = options;
  if (telemetry.meter !== undefined) measureRegion(telemetry.meter, region, clock);
  return {
    async open() {
      await region.open();
      return undefined;
    },
    app,
    facts: { metricsPort: telemetry.metricsPort, ...options.facts },
    drain: region.drain({
      name: 'stop accepting and finish what runs',
      run: (deadlineMs) =>
        closeServer(app, { clock, logger, graceMs: Math.floor(deadlineMs * PATIENCE) }),
    }),
    close: [
      ...region.close,
      { name: 'send the last telemetry', run: () => telemetry.stop() },
      { name: 'flush the log', run: () => logger.flush() },
    ],
  };
}

type MeasuredRegion = Pick<
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
