import { AppError } from '@tandem/core';
import {
  createConfiguration,
  recordBucketCount,
  type TandemConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { ProcessContext } from './process-context.ts';

const REFRESH_MS = 20_000;
const RETRY_MS = 400;

/** Reads the settings of the region as a process does that starts, however long it takes. */
export async function readSettings(context: ProcessContext): Promise<TandemConfiguration> {
  const store = context.store('settings');
  const clock = context.clock('settings');
  const configuration = createConfiguration({
    store,
    definitions: tandemSettings,
    clock,
    refreshMs: REFRESH_MS,
  });
  for (;;) {
    try {
      await configuration.load();
      await recordBucketCount(store, gadgetKind, configuration.get('Tables.BucketCount'));
      return configuration;
    } catch (error) {
      // One that finds a setting damaged ends, and is started again until somebody has mended it.
      const isDamaged = error instanceof AppError && error.code === 'CONFIGURATION_INVALID';
      if (!isDamaged && !(error instanceof AppError && error.retryable)) throw error;
      await clock.sleep(RETRY_MS);
    }
  }
}
