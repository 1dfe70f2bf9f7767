import { type EntityKind, isRegionName, type TableStore, TerminalError } from '@tandem/core';
import {
  CONFIGURATION_TABLE,
  insertConfigurationRow,
  readConfigurationRow,
  readConfigurationRows,
} from './configuration-table.ts';

/**
 * Records how many buckets a kind has when its table is first used, and from then on refuses any
 * other count: rows would not be found where they lie. Throws `CONFIGURATION_INVALID`.
 */
export async function recordBucketCount(
  store: TableStore,
  kind: Pick<EntityKind, 'name'>,
  count: number,
): Promise<void> {
  const name = recordName(kind);
  await store.createTable(CONFIGURATION_TABLE);
  if (await insertConfigurationRow(store, name, String(count))) return;
  const recorded = await readConfigurationRow(store, name);
  if (recorded === String(count)) return;
  const message = describeOtherCount(kind, count, recorded);
  throw new TerminalError('CONFIGURATION_INVALID', message, {
    details: { entityKind: kind.name, asked: count, recorded },
  });
}

/** Returns why a region with another count recorded does not start. */
export function describeOtherCount(
  kind: Pick<EntityKind, 'name'>,
  asked: number,
  recorded: string | undefined,
): string {
  const found = recorded === undefined ? 'no readable count' : recorded;
  return (
    `${asked} buckets are asked for, but the table Configuration records ${found} ` +
    `(${recordName(kind)}) for ${kind.name}. Set the bucket count to what is recorded: existing rows lie ` +
    'in those buckets.'
  );
}

/** Tells whether the kind's table was ever used in this region. */
export async function isBucketCountRecorded(
  store: TableStore,
  kind: Pick<EntityKind, 'name'>,
): Promise<boolean> {
  return (await readConfigurationRow(store, recordName(kind))) !== undefined;
}

function recordName({ name }: Pick<EntityKind, 'name'>): string {
  return `Recorded.BucketCount.${name}`;
}

/**
 * Reads the recorded count; undefined where the kind's table was never used, or `Configuration`
 * itself is gone.
 */
export async function readRecordedBucketCount(
  store: TableStore,
  kind: Pick<EntityKind, 'name'>,
): Promise<number | undefined> {
  try {
    const count = Number(await readConfigurationRow(store, recordName(kind)));
    return Number.isInteger(count) && count > 0 ? count : undefined;
  } catch (error) {
    if (error instanceof TerminalError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

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
