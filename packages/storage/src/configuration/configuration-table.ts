import {
  type EntityKind,
  type FieldValue,
  isRegionName,
  type Properties,
  pagesOf,
  type TableStore,
  TerminalError,
} from '@tandem/core';

export const CONFIGURATION_TABLE = 'Configuration';
const PARTITION = 'Configuration';
const COLUMN = 'value';
const PAGE_ROWS = 1_000;

/** Reads the texts by name. */
export async function readConfigurationRows(
  store: TableStore,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  // Above the settings lies their history.
  const bounds = { partitions: PARTITION, rowsBefore: '~' };
  const range = { table: CONFIGURATION_TABLE, ...bounds, limit: PAGE_ROWS };
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const row of rows) texts.set(row.rowKey, configurationTextOf(row.properties));
  }
  return texts;
}

/** Reads the text of one name; undefined when there is no row. */
export async function readConfigurationRow(
  store: TableStore,
  name: string,
): Promise<string | undefined> {
  const row = await store.get(CONFIGURATION_TABLE, PARTITION, name);
  return row === undefined ? undefined : configurationTextOf(row.properties);
}

/** Writes a row, and returns false when there is one already, which stays as it is. */
export async function insertConfigurationRow(
  store: TableStore,
  name: string,
  text: string,
): Promise<boolean> {
  const value: FieldValue = { type: 'String', value: text };
  const properties: Properties = new Map([[COLUMN, value]]);
  const operations = [{ kind: 'insert', rowKey: name, properties } as const];
  const outcome = await store.commit({
    table: CONFIGURATION_TABLE,
    partitionKey: PARTITION,
    operations,
  });
  return outcome.kind === 'committed';
}

/**
 * Reads the column as a text: a person may have given it another type, and what counts is how it
 * reads.
 */
export function configurationTextOf(properties: Properties): string {
  const value = properties.get(COLUMN)?.value ?? '';
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

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
