import { isRegionName, type TableStore } from '@tandem/core';
import { insertConfigurationRow, readConfigurationRows } from './configuration-table.ts';

const PREFIX = 'Recorded.Region.';

/**
 * Records that the regions exchange changes, and returns all that ever did as far as this region knows. One
 * that is taken out of the peers is still named in rows, and they go on being written and sent.
 */
export async function recordRegions(
  store: TableStore,
  regions: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const recorded = await readRecordedRegions(store);
  for (const region of regions) {
    if (!recorded.has(region)) await insertConfigurationRow(store, `${PREFIX}${region}`, region);
  }
  return new Set([...recorded, ...regions]);
}

export async function readRecordedRegions(store: TableStore): Promise<ReadonlySet<string>> {
  const rows = await readConfigurationRows(store);
  const names = [...rows.keys()].filter((name) => name.startsWith(PREFIX));
  return new Set(names.map((name) => name.slice(PREFIX.length)).filter(isRegionName));
}
