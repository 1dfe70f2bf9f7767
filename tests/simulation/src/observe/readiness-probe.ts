import { AppError, type Readiness } from '@tandem/core';
import type { ApiProcess } from '../processes/api-process.ts';
import type { World } from '../world/world.ts';

export interface Probe {
  readonly region: string;
  readonly readiness: Readiness;
  /** True times. */
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly api: ApiProcess;
}

const INTERVAL_MS = 3_000;
const PATIENCE_MS = 5_000;

export interface ProbeWatcher {
  /** A region is about to be asked, be it dead. */
  onAsk(): void;
  onAnswer(probe: Probe): void;
}

/** Asks every region again and again whether it is ready, as Traffic Manager would. */
export interface ReadinessProbe {
  /** The first region, in order of priority, that was ready when last asked; else the first. */
  preferredRegion(): string;
  /** True when every region was ready when it was last asked. */
  isAllReady(): boolean;
}

export function startReadinessProbe(world: World, watcher: ProbeWatcher): ReadinessProbe {
  const ready = new Map<string, boolean>();
  const { scheduler, plan } = world;

  const ask = async (region: string): Promise<boolean> => {
    watcher.onAsk();
    const [api] = world.regionNamed(region).apis.values();
    if (api === undefined) return false;
    const askedMs = scheduler.nowMs();
    const silence = scheduler.sleep(PATIENCE_MS).then(() => undefined);
    try {
      const readiness = await Promise.race([api.readiness(), silence]);
      if (readiness === undefined) return false;
      watcher.onAnswer({ region, readiness, askedMs, answeredMs: scheduler.nowMs(), api });
      world.trace.note(`${region} is ${readiness.kind}`);
      return readiness.kind === 'ready';
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  };
  const watch = async (region: string): Promise<void> => {
    for (;;) {
      await scheduler.sleep(INTERVAL_MS);
      ready.set(region, await ask(region));
    }
  };
  for (const region of plan.regions) {
    watch(region).catch((error: unknown) => world.reportBug(undefined, error));
  }
  return {
    preferredRegion: () =>
      plan.regions.find((region) => ready.get(region) === true) ?? (plan.regions[0] as string),
    isAllReady: () => plan.regions.every((region) => ready.get(region) === true),
  };
}
