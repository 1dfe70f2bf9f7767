import type { Clock } from '@tandem/core';
import { createMemoryBus, type MemoryBus } from '@tandem/core/memory';
import { createFreezer, type Freezer } from './freezer.ts';

/** The queue of one region: what survives every crash. */
export interface Namespace {
  readonly bus: MemoryBus;
  readonly queue: string;
  /** Faults may overlap, so each is counted. */
  outages: number;
  readonly freezer: Freezer;
}

/** In production it is 2,000: nothing that Tandem does itself may ever reach even this. */
const DELIVERY_COUNT_MAX = 20;

export function createNamespace(
  region: string,
  options: { readonly clock: Clock; readonly lockDurationMs: number },
): Namespace {
  const bus = createMemoryBus({ ...options, deliveryCountMax: DELIVERY_COUNT_MAX });
  return { bus, queue: region, outages: 0, freezer: createFreezer() };
}
