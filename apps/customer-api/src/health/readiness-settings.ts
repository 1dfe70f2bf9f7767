import type { ReadinessSettings } from '@tandem/core';
import type { TandemConfiguration } from '@tandem/storage';

/** Read anew for each probe: an operator may change them while the process runs. */
export function readReadinessSettings(
  configuration: Pick<TandemConfiguration, 'get'>,
): ReadinessSettings {
  return {
    lagMsMax: configuration.get('Readiness.LagMsMax'),
    waitMsMax: configuration.get('Readiness.WaitMsMax'),
    heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
    driftMsMax: configuration.get('Clock.DriftMsMax'),
  };
}
