import { createBus, type RegionBus } from './bus.ts';
import type { RegionContext } from './region-context.ts';
import { createTables, type RegionTables } from './tables.ts';
import { createVault, type RegionVault } from './vault.ts';

/** What a region keeps. */
export interface RegionData extends RegionTables, RegionBus, RegionVault {}

export function createData(context: RegionContext): RegionData {
  return { ...createTables(context), ...createBus(context), ...createVault(context) };
}
