import { AppError, type Clock, type EntityKind, type TableStore } from '@tandem/core';
import { openRegion } from '@tandem/region-kit';
import type { ReplicatorConfig } from './config.ts';

export interface CheckOptions {
  readonly config: Pick<ReplicatorConfig, 'region' | 'environment'>;
  readonly kinds: readonly EntityKind[];
  readonly store: TableStore;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Nothing is kept that could grow old. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/**
 * Opens the region once, as a start would, and nothing more: for a deployment that must not begin
 * with settings that its processes will refuse. Returns what is wrong, or undefined.
 */
export async function checkSettings(options: CheckOptions): Promise<string | undefined> {
  const { config, kinds, store, clock } = options;
  try {
    await openRegion({
      region: config.region,
      environment: config.environment,
      kinds,
      store,
      clock,
      refreshMs: NEVER_MS,
      onRefreshFailed: () => undefined,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}
