import type { Meter } from '@tandem/telemetry';
import type { Composition } from '../composition.ts';

export interface ApiState {
  /** Undefined until the region is opened. */
  readonly composition: () => Pick<Composition, 'readiness' | 'relayQueue'> | undefined;
  readonly stopping: AbortSignal;
}

/** What only this process knows of itself, looked at whenever someone asks. */
export function measureApi(meter: Meter, { composition, stopping }: ApiState): void {
  meter
    .createObservableGauge('tandem.region.ready', {
      unit: '1',
      description: 'Whether the region may take traffic, as this process sees it.',
    })
    .addCallback(async (result) => {
      const readiness = stopping.aborted ? undefined : await composition()?.readiness();
      result.observe(readiness?.kind === 'ready' ? 1 : 0);
    });
  meter
    .createObservableGauge('tandem.relay.queue.length', {
      unit: '{change_set}',
      description: 'Change sets that wait in this process to be sent; the outbox holds them too.',
    })
    .addCallback((result) => result.observe(composition()?.relayQueue.length ?? 0));
}
